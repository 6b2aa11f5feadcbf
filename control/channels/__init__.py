"""Channels: their records, settings and bounds, and who may read them."""
