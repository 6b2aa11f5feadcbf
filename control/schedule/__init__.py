"""Events that are to be posted at a time: a record each, until it is on the log."""
