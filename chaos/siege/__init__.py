"""Hostile users with ordinary grants against a cluster, while canaries post, watch, search and read."""
