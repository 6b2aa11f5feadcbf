"""Follows, feeds and notifications, at all doors."""
