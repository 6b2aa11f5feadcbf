"""Searching over HTTP, and saved searches."""
