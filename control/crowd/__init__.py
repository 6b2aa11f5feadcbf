"""What a crowd does besides talking: reactions, polls, and what they come to."""
