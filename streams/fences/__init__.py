"""Places that watch: which of them somebody is in, and what is told of that."""
