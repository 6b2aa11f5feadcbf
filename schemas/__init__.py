"""Schemas: what lies on the log, in Avro; the codec; and the checks that make an event valid."""
