"""A stream's past, complete and in order: the index up to its watermark, the log from there."""
