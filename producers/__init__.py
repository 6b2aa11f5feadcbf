"""The Python SDK: events into keyed Kafka topics, in order, and never lost in silence."""
