"""Rooms at work while things break: who talks, devices that come and go, and a recount of the log."""
