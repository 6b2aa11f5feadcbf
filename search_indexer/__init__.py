"""Events into Elasticsearch, searches out of it, and alerts: everything that knows how text is found."""
