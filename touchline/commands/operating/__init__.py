"""Commands for who operates a pipeline: channels, topics, tokens, refusals, and trying to break it."""
