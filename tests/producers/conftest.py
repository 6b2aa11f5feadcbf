"""A deployment of topics of one's own on the shared Kafka, and what lies in them."""

import secrets
from collections.abc import Callable

import pytest
from confluent_kafka import Consumer, KafkaError, TopicPartition
from msgspec.structs import replace

from kernel.log.kafka import apply_topics, client_config
from kernel.log.topics import Topic, topic_names, topics
from kernel.settings.reading import Settings, load_settings

Records = list[tuple[int, bytes, bytes]]


@pytest.fixture(scope="session")
def producer_settings(kafka_servers: str) -> Settings:
    """Settings for topics that only these tests use."""
    settings = load_settings(
        {
            "TOUCHLINE_KAFKA_BOOTSTRAP_SERVERS": kafka_servers,
            "TOUCHLINE_TOPICS_PREFIX": f"p{secrets.token_hex(4)}",
            "TOUCHLINE_TOPICS_PARTITIONS": "4",
        }
    )
    apply_topics(settings, ingest_topics(settings))
    return settings


def ingest_topics(settings: Settings) -> list[Topic]:
    names = topic_names(settings)
    return [topic for topic in topics(settings) if topic.name in (*names.ingest.values(), names.changes)]


@pytest.fixture
def fresh_settings(producer_settings: Settings) -> Settings:
    """Topics of this test's own."""
    settings = replace(
        producer_settings, topics=replace(producer_settings.topics, prefix=f"p{secrets.token_hex(4)}")
    )
    apply_topics(settings, ingest_topics(settings))
    return settings


@pytest.fixture(scope="session")
def read_topic() -> Callable[[Settings, str], Records]:
    """Everything in a topic, as (partition, key, value), each partition in its order."""
    return records_of


def records_of(settings: Settings, topic: str) -> Records:
    consumer = Consumer(client_config(settings, group_id="tests", enable_partition_eof=True))
    found: Records = []
    try:
        partitions = list(consumer.list_topics(topic, timeout=60).topics[topic].partitions)
        consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
        ended: set[int] = set()
        while len(ended) < len(partitions):
            message = consumer.poll(60)
            assert message is not None, "Kafka does not answer"
            error = message.error()
            if error is not None and error.code() == KafkaError._PARTITION_EOF:
                ended.add(message.partition() or 0)
            elif error is None:
                found.append((message.partition() or 0, message.key() or b"", message.value() or b""))
    finally:
        consumer.close()
    return found
