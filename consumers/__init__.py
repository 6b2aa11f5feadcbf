"""The edges: Kafka consumers that serve viewers; and the Python client for viewers."""
