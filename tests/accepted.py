"""Accepted events for tests and benchmarks: made as the stream workers make them, and written to the log."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from confluent_kafka import Producer

from kernel.clock import SystemClock
from kernel.log.kafka import client_config
from kernel.log.positions import Kind, make_id, make_seq, partition_of
from kernel.log.topics import topic_names
from kernel.settings.reading import Settings
from schemas.codec import Codec

#: Of the topics of a test's pipeline: two are more than one, and there are forty topics, each of which costs.
PARTITIONS = 2
#: An hour ago: Kafka drops records, and the indexer drops indices, whose time is past their retention.
START_MS = SystemClock().now_ms() - 3_600_000


def event(
    kind: Kind,
    channel: str,
    offset: int,
    data: Mapping[str, Any],
    *,
    type_: str | None = None,
    sender: str | None = "ana",
    at: int | None = None,
    partitions: int = PARTITIONS,
    epoch: int = 1,
) -> dict[str, Any]:
    """An event of the schema `event-<kind>`, from the ingest record at this offset."""
    at = START_MS + offset if at is None else at
    partition = partition_of(channel, partitions)
    if kind is Kind.BROADCAST:
        inner: dict[str, Any] = {"json": msgspec.json.encode(data).decode()}
    elif kind is Kind.CHAT:
        inner = {"text": "", "target": None, "extra": None, **data}
    else:
        inner = {"accuracy": None, "heading": None, "speed": None, "extra": None, **data}
    return {
        "channel": channel,
        "seq": make_seq(epoch, offset),
        "id": make_id(kind, at, partition, offset),
        "server_ts": at,
        "partition": partition,
        "type": type_ or {Kind.CHAT: "message", Kind.LOCATION: "position"}.get(kind, "goal"),
        "key": None,
        "sender": sender,
        "client_ts": None,
        "data": inner,
    }


def chat(channel: str, offset: int, text: str, **about: Any) -> dict[str, Any]:
    return event(Kind.CHAT, channel, offset, {"text": text}, **about)


def writer(settings: Settings) -> Producer:
    """A producer that keeps the order, whatever the broker does."""
    return Producer(client_config(settings, linger_ms=5, enable_idempotence=True))


def write(
    settings: Settings, kind: Kind, events: Iterable[Mapping[str, Any]], producer: Producer | None = None
) -> None:
    """Put events on the log, in this order."""
    codec, producer = Codec(f"event-{kind}"), producer or writer(settings)
    topic = topic_names(settings).events[kind]
    for one in events:
        value = codec.encode(one)
        while True:
            try:
                producer.produce(
                    topic,
                    value,
                    key=one["channel"].encode(),
                    partition=one["partition"],
                    timestamp=one["server_ts"],
                )
                break
            except BufferError:
                producer.poll(0.1)
    assert producer.flush(60) == 0
