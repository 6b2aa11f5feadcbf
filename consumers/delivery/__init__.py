"""From fan-out records to viewers: rings, subscriptions, backfill, and one write to many sockets."""
