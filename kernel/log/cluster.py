"""What Kafka says of its topics: ids, partition counts, ends."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from confluent_kafka import KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import OffsetSpec

from kernel.errors import TouchlineError
from kernel.log.kafka import admin_client, client_config
from kernel.settings.reading import Settings


class TopicNow(NamedTuple):
    """A topic as it is."""

    topic_id: str
    partitions: int
    ends: Mapping[int, int]


class Cluster:
    """Asks Kafka. Every call blocks: call it in a thread."""

    def __init__(self, settings: Settings) -> None:
        self._admin = admin_client(client_config(settings))

    def partitions(self) -> dict[str, int]:
        """Topic -> partition count, of all topics."""
        found = self._admin.list_topics(timeout=10).topics
        return {name: len(topic.partitions) for name, topic in found.items()}

    def describe(self, topics: Sequence[str]) -> dict[str, TopicNow]:
        """These topics. Raises `unavailable` where one is missing."""
        try:
            futures = self._admin.describe_topics(TopicCollection(list(topics)))
            described = {name: future.result(timeout=10) for name, future in futures.items()}
        except KafkaException as error:
            raise TouchlineError(
                "unavailable",
                f"The topics cannot be described: {error.args[0].str()}.",
                hint="Create them with `touchline topics apply`.",
            ) from error
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        asked = {
            TopicPartition(name, p.id): latest for name, topic in described.items() for p in topic.partitions
        }
        ends: dict[str, dict[int, int]] = {}
        for at, future in self._admin.list_offsets(asked).items():
            ends.setdefault(at.topic, {})[at.partition] = future.result(timeout=10).offset
        return {
            name: TopicNow(str(topic.topic_id), len(topic.partitions), ends[name])
            for name, topic in described.items()
        }
