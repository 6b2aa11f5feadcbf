"""All attackers, each a table of steps by one of the public ways in."""
