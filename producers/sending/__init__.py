"""The way of posts to Kafka: a bounded outbox, what becomes of each, and ways of sending."""
