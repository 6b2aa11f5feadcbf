"""What leads out: webhooks and notifications."""
