"""The Python client for viewers: `Viewer`."""
