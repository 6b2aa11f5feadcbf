"""The pages for people, and the demo match that they can start."""
