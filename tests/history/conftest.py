"""An events topic with events in it, as the stream workers write them."""

from collections.abc import Callable, Iterable
from uuid import uuid4

import pytest

from kernel.log.kafka import apply_topics
from kernel.log.positions import Kind
from kernel.log.topics import topics
from kernel.settings.reading import Elasticsearch, Kafka, Settings, Topics
from tests.accepted import chat, write

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
    partitions = settings.topics.partitions
    events = [chat(channel, offset, f"message {offset}", partitions=partitions) for offset in offsets]
    write(settings, Kind.CHAT, events)
