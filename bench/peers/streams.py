"""The chat job as other frameworks would do it: `bench/peers/streams.py NAME SERVERS PREFIX [LINGER_MS]`.

Each in its best honest form: fastavro with schemas parsed once, msgspec for JSON, linger, idempotence.
The job: Avro in, decoded and checked; an event for the log and one for the fan-out, encoded; both written
with acks=all, idempotent where there is such a producer; offsets committed every second, as the worker does.
None of them drops repeats, keeps order over crashes, or looks after settings and shards, as that does.
"""

import asyncio
import io
import struct
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import fastavro
import msgspec

from kernel.log.positions import Kind, make_id, make_seq
from schemas.catalog import built_in, without_logical_types

to_json = msgspec.json.Encoder().encode
HEADER = struct.Struct(">bI")


def codec(name: str) -> tuple[Any, bytes]:
    catalog = built_in()
    version = catalog.latest(name)
    schema = fastavro.parse_schema(without_logical_types(catalog.schemas[version]))
    return schema, HEADER.pack(0, catalog.id_of(version))


INGEST, INGEST_ID = codec("ingest-chat")
EVENT, EVENT_ID = codec("event-chat")
FANOUT, FANOUT_ID = codec("fanout")


def encoded(schema: Any, header: bytes, value: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    out.write(header)
    fastavro.schemaless_writer(out, schema, value)
    return out.getvalue()


def job(value: bytes, key: bytes, partition: int, offset: int, append_ms: int) -> tuple[bytes, bytes]:
    """A record's two outputs."""
    if value[:5] != INGEST_ID:
        raise ValueError("unknown schema")
    source = io.BytesIO(value)
    source.seek(5)
    event: Any = fastavro.schemaless_reader(source, INGEST, None)
    if not event["data"]["text"] or len(event["key"] or "") > 128:
        raise ValueError("invalid")
    channel, seq = key.decode(), make_seq(1, offset)
    event |= {"channel": channel, "seq": seq, "id": make_id(Kind.CHAT, append_ms, partition, offset)}
    event |= {"server_ts": append_ms, "partition": partition}
    shown = {"stream": f"chat:{channel}", **{k: event[k] for k in ("seq", "id", "key", "type", "sender")}}
    body = to_json({**shown, "server_ts": append_ms, "data": {"text": event["data"]["text"]}})
    fanout = {"stream": f"chat:{channel}", "seq": seq, "server_ts": append_ms, "body": body}
    return encoded(EVENT, EVENT_ID, event), encoded(FANOUT, FANOUT_ID, fanout)


#: The third argument of a peer, if given, is its linger: latency is compared at the worker's own.
LINGER_MS = float(sys.argv[4]) if len(sys.argv) > 4 else 20
COMMIT_S = 1.0
PRODUCER = {
    "linger.ms": LINGER_MS,
    "acks": "all",
    "enable.idempotence": True,
    "queue.buffering.max.messages": 500_000,
}


def bare(servers: str, prefix: str) -> None:
    from confluent_kafka import Consumer, Producer

    consumer = Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": f"{prefix}-bare",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    producer = Producer({"bootstrap.servers": servers, **PRODUCER})
    consumer.subscribe([f"{prefix}.ingest.chat"])
    committed, read = time.perf_counter(), 0
    while True:
        # The first record goes on at once, with whatever else is there.
        for message in (first := consumer.consume(1, 0.2)) and first + consumer.consume(999, 0):
            if message.error():  # topics that have just been made, and are not known everywhere
                continue
            read += 1
            key: Any = message.key()
            outputs = job(message.value(), key, message.partition(), message.offset(), message.timestamp()[1])  # type: ignore[arg-type]
            for topic, value, name in (
                ("events.chat", outputs[0], key),
                ("fanout.live", outputs[1], key + b"#1#0"),
            ):
                while True:
                    try:
                        producer.produce(f"{prefix}.{topic}", value, name)
                        break
                    except BufferError:
                        producer.poll(0.05)
        producer.poll(0)
        if read and time.perf_counter() - committed > COMMIT_S:
            producer.flush()
            consumer.commit(asynchronous=False)
            committed, read = time.perf_counter(), 0


def stock_faust(servers: str, prefix: str) -> None:
    import faust

    app = faust.App(
        f"{prefix}-faust",
        broker=f"kafka://{servers}",
        store="memory://",
        topic_partitions=8,
        web_enabled=False,
        topic_disable_leader=True,
        stream_buffer_maxsize=4096,
        producer_linger=LINGER_MS / 1000,
        consumer_auto_offset_reset="earliest",
        datadir=tempfile.mkdtemp(),
    )
    raw = {"key_serializer": "raw", "value_serializer": "raw"}
    source = app.topic(f"{prefix}.ingest.chat", **raw)
    events, fanout = app.topic(f"{prefix}.events.chat", **raw), app.topic(f"{prefix}.fanout.live", **raw)

    @app.agent(source)
    async def fold(stream: Any) -> None:
        async for event in stream.events():
            m = event.message
            one, two = job(event.value, event.key, m.partition, m.offset, round(m.timestamp * 1000))
            await events.send(key=event.key, value=one)
            await fanout.send(key=event.key + b"#1#0", value=two)

    app.finalize()
    sys.argv = ["faust", "worker", "-l", "error", "--without-web"]
    app.main()


def bare_aiokafka(servers: str, prefix: str) -> None:
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

    async def main() -> None:
        consumer = AIOKafkaConsumer(
            f"{prefix}.ingest.chat",
            bootstrap_servers=servers,
            group_id=f"{prefix}-aiokafka",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            fetch_max_wait_ms=50,
        )
        producer = AIOKafkaProducer(
            bootstrap_servers=servers,
            linger_ms=round(LINGER_MS),
            acks="all",
            enable_idempotence=True,
            max_batch_size=262_144,
        )
        await consumer.start()
        await producer.start()
        committed = time.perf_counter()
        while True:
            for messages in (await consumer.getmany(timeout_ms=200, max_records=1000)).values():
                for m in messages:
                    one, two = job(m.value, m.key, m.partition, m.offset, m.timestamp)
                    await producer.send(f"{prefix}.events.chat", one, m.key)
                    await producer.send(f"{prefix}.fanout.live", two, m.key + b"#1#0")
            if time.perf_counter() - committed > COMMIT_S:
                await producer.flush()
                await consumer.commit()
                committed = time.perf_counter()

    _uvloop(main)


def faststream(servers: str, prefix: str) -> None:
    from faststream import AckPolicy, Context, FastStream
    from faststream.confluent import KafkaBroker

    broker = KafkaBroker(servers, logger=None, config={k: v for k, v in PRODUCER.items() if k != "acks"})

    async def body(message: Any) -> Any:
        return message.body

    @broker.subscriber(
        f"{prefix}.ingest.chat",
        group_id=f"{prefix}-faststream",
        auto_offset_reset="earliest",
        batch=True,
        max_records=1000,
        no_reply=True,
        decoder=body,
        ack_policy=AckPolicy.ACK,
    )
    async def handle(messages: list[Any], message: Any = Context()) -> None:  # noqa: B008 - its way
        for value, m in zip(messages, message.raw_message, strict=True):
            one, two = job(value, m.key(), m.partition(), m.offset(), m.timestamp()[1])
            await broker.publish(one, f"{prefix}.events.chat", key=m.key(), no_confirm=True)
            await broker.publish(two, f"{prefix}.fanout.live", key=m.key() + b"#1#0", no_confirm=True)

    _uvloop(FastStream(broker, logger=None).run)


def quix(servers: str, prefix: str) -> None:
    from quixstreams import Application
    from quixstreams.context import message_context

    app = Application(
        broker_address=servers,
        consumer_group=f"{prefix}-quix",
        auto_offset_reset="earliest",
        auto_create_topics=False,
        loglevel="ERROR",
        commit_interval=COMMIT_S,
        producer_extra_config=PRODUCER,
    )
    raw: Any = {"key_serializer": "bytes", "value_serializer": "bytes"}
    source = app.topic(f"{prefix}.ingest.chat", key_deserializer="bytes", value_deserializer="bytes")
    events, fanout = app.topic(f"{prefix}.events.chat", **raw), app.topic(f"{prefix}.fanout.live", **raw)

    def outputs(value: bytes, key: bytes, timestamp: int, _headers: Any) -> tuple[bytes, bytes]:
        context = message_context()
        return job(value, key, context.partition, context.offset, timestamp)

    both = app.dataframe(source).apply(outputs, metadata=True)
    both.apply(lambda pair: pair[0]).to_topic(events)
    both.apply(lambda pair: pair[1]).to_topic(fanout)
    app.run()


def _uvloop(main: Callable[[], Any]) -> None:
    import uvloop

    uvloop.install()
    asyncio.run(main())


PEERS = {
    "bare": bare,
    "faust": stock_faust,
    "aiokafka": bare_aiokafka,
    "faststream": faststream,
    "quix": quix,
}

if __name__ == "__main__":
    PEERS[sys.argv[1]](*sys.argv[2:4])
