"""The table on disk: what it has to offer, in SQLite or RocksDB, in a file that no other process has."""
