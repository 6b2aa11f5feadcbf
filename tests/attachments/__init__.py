"""Files beside messages."""
