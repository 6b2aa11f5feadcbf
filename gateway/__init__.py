"""The HTTP gateway: ingest, history, search, channels, schema registry."""
