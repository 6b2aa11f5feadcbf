"""Feeds at an edge: who follows what of those who are here, and what comes for them."""
