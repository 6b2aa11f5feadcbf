"""What is known beside the log: channels, presence, revocations; records, folds, and who follows them."""
