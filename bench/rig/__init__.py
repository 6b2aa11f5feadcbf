"""What the measurements run on: load, processes under test, and what lies there before they begin."""
