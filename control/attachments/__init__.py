"""What is known of attachments beside their bytes."""
