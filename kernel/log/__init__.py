"""The log: how Kafka is reached, its topics and records, and where an event lies in it."""
