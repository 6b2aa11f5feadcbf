"""What doors tell each other: who watches what, and what users have taken."""
