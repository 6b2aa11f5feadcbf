"""What a worker looks after besides its records: shards that follow audiences, hot partitions."""
