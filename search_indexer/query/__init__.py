"""The query language: parsed by a grammar of our own, answered by Elasticsearch or on an event in memory."""
