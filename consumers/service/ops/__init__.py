"""The ops of viewers, a module for each sort: what they watch, publish, read, ask, and do among people."""
