"""What Touchline is measured beside: how it is installed, set, and made to do the same job."""
