"""What the fold refuses, and by what: settings, repeats, fair shares, moves, replies, rooms. Pure."""
