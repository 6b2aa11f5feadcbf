"""Real servers on this machine from Python wheels and Maven artifacts, and their supervisor."""
