"""Where a past is read from: the index up to the indexer's watermark, and the log behind it."""
