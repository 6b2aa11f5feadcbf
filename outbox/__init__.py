"""What leads out to other systems: notifications of users, webhooks, Web Push."""
