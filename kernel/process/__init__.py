"""A role as a process: its life, health, metrics and logs."""
