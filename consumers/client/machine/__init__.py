"""The client's state machine, without I/O: connections, streams and requests, by messages and the time."""
