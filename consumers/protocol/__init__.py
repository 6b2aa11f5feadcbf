"""The viewer protocol without I/O: messages, sessions, and the AsyncAPI document made of them."""
