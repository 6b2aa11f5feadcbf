"""Events into Elasticsearch: read, folded, written in bulk, and taken out again in time."""
