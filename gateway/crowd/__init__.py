"""Reactions and polls over HTTP."""
