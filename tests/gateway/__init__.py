"""What a gateway does over HTTP."""
