"""The servers themselves: a real Kafka and a real Elasticsearch, how they are got and started."""
