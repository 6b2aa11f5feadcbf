"""The shape of what lies on the log: Avro schemas, the codec, and the checks that make an event valid."""
