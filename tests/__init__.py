"""Tests. Their folders that are packages have fixtures for the whole folder, which end with it."""
