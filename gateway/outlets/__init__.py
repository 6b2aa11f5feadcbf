"""Webhooks, and what users want to be told, over HTTP."""
