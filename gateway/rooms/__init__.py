"""Rooms over HTTP: making and changing them, who is in them, and whom users have blocked."""
