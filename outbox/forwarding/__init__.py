"""Receivers are kept at the log: who waits for what, in which order, and what is given up."""
