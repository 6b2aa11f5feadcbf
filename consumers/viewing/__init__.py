"""The mind of the Python client, told what happened and when; and what puts it on real sockets."""
