"""The ways out: webhooks and Web Push, to addresses that were checked."""
