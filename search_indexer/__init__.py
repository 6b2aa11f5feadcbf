"""search_indexer."""
