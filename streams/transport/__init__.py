"""The batch transport: Faust agents get whole turns of records, and write through librdkafka."""
