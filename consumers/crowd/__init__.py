"""Reactions and polls for viewers: what they ask, and what they are told."""
