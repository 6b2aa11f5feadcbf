"""Rooms, at all doors."""
