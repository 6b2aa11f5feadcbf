"""A worker's part in reactions and polls: the fold, and what is written of it."""
