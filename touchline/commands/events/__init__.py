"""Commands for events: post, watch, find."""
