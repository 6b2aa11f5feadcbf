"""What a command shows on a terminal: events, hits, bars, progress, and nothing that moves its cursor."""
