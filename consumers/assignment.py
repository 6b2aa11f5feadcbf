"""How a reader gets its partitions: all of them by hand, or a cell's share by Kafka's group protocol."""

from collections.abc import Callable, Mapping
from typing import Protocol

from confluent_kafka import Consumer, TopicPartition

from consumers.places import Place


class Assigned(Protocol):
    """Told of what begins and what ends. Called in the reader's thread."""

    def begin(self, places: dict[Place, int], whole: set[Place], counts: dict[str, int]) -> None:
        """Partitions are read now: each with where its end was (-1: empty); and how many topics have."""

    def end(self, places: set[Place]) -> None:
        """Partitions are read no more."""

    def counted(self, counts: dict[str, int]) -> None:
        """So many partitions there are; which of them are for this reader comes later, or none are."""


Assign = Callable[[Consumer, Assigned], None]


def all_of(fills: Mapping[str, int]) -> Assign:
    """Every partition of these topics, each from so many records before its end."""

    def assign(consumer: Consumer, told: Assigned) -> None:
        known = consumer.list_topics(timeout=10).topics
        parts = [TopicPartition(topic, n) for topic in fills for n in known[topic].partitions]
        starts, ends, whole = _starts(consumer, parts, fills)
        consumer.assign(starts)
        told.begin(ends, whole, {topic: len(known[topic].partitions) for topic in fills})

    return assign


def share_of(topic: str, fill: int) -> Assign:
    """What the cell's group gives this edge. A new owner starts before the old one's place: `fill` back."""

    def assign(consumer: Consumer, told: Assigned) -> None:
        counts = {topic: len(consumer.list_topics(topic, timeout=10).topics[topic].partitions)}

        def begin(_: Consumer, parts: list[TopicPartition]) -> None:
            starts, ends, whole = _starts(consumer, parts, {topic: fill})
            consumer.incremental_assign(starts)
            told.begin(ends, whole, counts)

        def end(_: Consumer, parts: list[TopicPartition]) -> None:
            consumer.incremental_unassign(parts)
            told.end({(p.topic, p.partition) for p in parts})

        told.counted(counts)
        consumer.subscribe([topic], on_assign=begin, on_revoke=end, on_lost=end)

    return assign


def _starts(
    consumer: Consumer, parts: list[TopicPartition], fills: Mapping[str, int]
) -> tuple[list[TopicPartition], dict[Place, int], set[Place]]:
    """Where to start reading each partition, where its end is, and which are read from their first record."""
    starts: list[TopicPartition] = []
    ends: dict[Place, int] = {}
    whole: set[Place] = set()
    for part in parts:
        low, end = consumer.get_watermark_offsets(TopicPartition(part.topic, part.partition), timeout=10)
        start = max(low, end - fills[part.topic])
        starts.append(TopicPartition(part.topic, part.partition, start))
        ends[part.topic, part.partition] = end if end > start else -1
        if start == 0:
            whole.add((part.topic, part.partition))
    return starts, ends, whole
