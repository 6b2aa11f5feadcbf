"""Commands, how they are sent, and what the fold answers."""
