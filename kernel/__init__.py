"""The kernel: what every part of Touchline shares, and nothing that only one part needs."""
