"""Follows and feeds over HTTP."""
