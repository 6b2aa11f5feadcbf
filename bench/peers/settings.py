"""How each of the peers ran that `make bench` measures beside Touchline."""

# ruff: noqa: E501 - words, a line each

from typing import Final

#: How each ran, so that whoever doubts a figure can say what would be fairer.
SETTINGS: Final = {
    "bare confluent-kafka": "the SDK's own librdkafka settings, bytes made before, reports counted",
    "ProducerPerformance (JVM)": "Kafka's own, of the broker's version: the SDK's linger, batch size and compression,"
    " idempotent, acks=all, 128 MB of buffer, ready-made text without keys, a tenth more to warm the JVM up first,"
    " five times the events of the others",
    "aiokafka": "idempotent, acks=all, linger and batch size as above, no compression (its compressors run in the loop);"
    " as worker: 1,000 records a fetch, uvloop, commits each second",
    "FastStream": "on confluent-kafka, batches of 1,000; as worker without confirmation of each",
    "Quix Streams": "in an environment of its own with the confluent-kafka 2.12.2 that it wants; the producer settings"
    " of the bare loop",
    "stock Faust": "aiokafka driver, memory tables, no web, linger 20 ms",
    "bare loop": "confluent-kafka and fastavro: decodes, encodes two outputs, commits each second; no order, no repeats,"
    " no settings, no shards",
    "bare (Rust, epoll)": "one thread, one `send` of ready-made frames per viewer; no protocol, no bounds; a Python consumer"
    " on the same core reads Kafka for it, as the prototype's does, and its CPU counts",
    "picows": "uvloop, the frame made once and written to each transport",
    "websockets.broadcast": "as its documentation says, uvloop, no compression, no pings; from Kafka: the prototype's consumer"
    " in a thread, all of 10 ms in one message",
    "ws (Node)": "one Buffer sent to each client, no compression, no client tracking",
    "Socket.IO": "its ws engine, WebSocket transport only, no compression, `io.emit`, which makes the frame once",
    "prototype": "uvloop, a consumer in a thread, all of 10 ms in one write of ready-made frames; no token, no history,"
    " no positions, no bounds",
    "Centrifugo": "its own Kafka consumer in publication mode, anonymous viewers, no compression",
    "Tile38": "without an append-only file, one connection with 500 commands under way, fences as channels that detect"
    " enter and exit",
    "parallel_bulk": "of the Elasticsearch client: 4 threads, chunks of 2,000, documents made before",
}
