"""How a worker takes partitions over, and how a log is replayed."""
