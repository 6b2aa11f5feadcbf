"""An events topic with events in it, as the stream workers write them."""

from collections.abc import Callable, Iterable
from uuid import uuid4

import pytest
from confluent_kafka import Producer

from kernel.clock import SystemClock
from kernel.kafka import apply_topics, client_config
from kernel.positions import Kind, make_id, make_seq, partition_of
from kernel.settings import Elasticsearch, Kafka, Settings, Topics
from kernel.topics import topic_names, topics
from schemas.codec import Codec

#: An hour ago: Kafka drops records whose time is past their retention.
START_MS = SystemClock().now_ms() - 3_600_000
Publish = Callable[[str, Iterable[int]], None]


@pytest.fixture
def log_settings(kafka_servers: str) -> Settings:
    """A deployment of its own on the shared Kafka; nothing answers as its Elasticsearch."""
    prefix = f"t{uuid4().hex[:10]}"
    settings = Settings(
        kafka=Kafka(bootstrap_servers=kafka_servers),
        elasticsearch=Elasticsearch(url="http://127.0.0.1:9", index_prefix=prefix),
        topics=Topics(prefix=prefix, partitions=2),
    )
    apply_topics(settings, topics(settings))
    return settings


@pytest.fixture
def publish_chat(log_settings: Settings) -> Publish:
    """Writes chat events with these ingest offsets to a channel, in this order."""
    return lambda channel, offsets: write_chat(log_settings, channel, offsets)


def write_chat(settings: Settings, channel: str, offsets: Iterable[int]) -> None:
    """Write accepted chat events, as a stream worker does."""
    codec, producer = Codec("event-chat"), Producer(client_config(settings))
    partition = partition_of(channel, settings.topics.partitions)
    for offset in offsets:
        at = START_MS + offset
        producer.produce(
            topic_names(settings).events[Kind.CHAT],
            codec.encode(
                {
                    "channel": channel,
                    "seq": make_seq(1, offset),
                    "id": make_id(Kind.CHAT, at, partition, offset),
                    "server_ts": at,
                    "partition": partition,
                    "type": "message",
                    "key": None,
                    "sender": "ana",
                    "client_ts": None,
                    "data": {"text": f"message {offset}", "target": None, "extra": None},
                }
            ),
            key=channel.encode(),
            partition=partition,
            timestamp=at,
        )
        producer.poll(0)
    assert producer.flush(30) == 0
