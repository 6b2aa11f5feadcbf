"""Believable matches, rooms and walks, each from a seed."""
