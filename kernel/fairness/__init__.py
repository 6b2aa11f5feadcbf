"""Shares among users: budgets, paces, places and turns."""
