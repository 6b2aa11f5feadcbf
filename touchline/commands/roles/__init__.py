"""Commands that run the pipeline: all of it, or one role."""
