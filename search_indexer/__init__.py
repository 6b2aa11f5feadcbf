"""Events into Elasticsearch, and the language to find them again."""
