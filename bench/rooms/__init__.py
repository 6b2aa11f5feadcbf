"""What a messenger costs, on servers: see `python -m bench.rooms --help`."""
