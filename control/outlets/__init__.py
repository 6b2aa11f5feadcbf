"""Ways out to other systems: webhooks, and what users want to be told."""
