"""What is done to the pipeline: a schedule as data, and the hands that carry it out."""
