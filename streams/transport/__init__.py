"""The batch transport: Faust agents get whole batches of records, and write through librdkafka."""
