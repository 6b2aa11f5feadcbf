"""Processes that are kept running: started in order, watched, ended with all that they started."""
