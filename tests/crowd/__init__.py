"""What crowds do: reactions and polls."""
