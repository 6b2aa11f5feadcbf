"""The harness that tries to break the pipeline: a seeded schedule of faults, recorders, invariants."""
