"""Faust agents that check, order, count and fan out every event."""
