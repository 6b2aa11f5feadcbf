"""Distances and cells on the earth, for many places at once."""
