"""Friends who walk about while things break: what each is shown, beside an oracle that knows the log."""
