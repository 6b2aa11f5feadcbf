"""Who follows which channel, and what users want to be told of it."""
