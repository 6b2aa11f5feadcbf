"""The fold of ingest records into events: pure, by append time and offset."""
