"""Channels over HTTP: settings, spread, audiences."""
