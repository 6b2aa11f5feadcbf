"""Real servers from Python wheels and Maven artifacts alone, and the supervisor behind `touchline up`."""
