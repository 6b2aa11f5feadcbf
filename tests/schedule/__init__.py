"""Scheduled posts."""
