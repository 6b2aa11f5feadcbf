"""How a reader gets its partitions: all of them by hand, or a cell's share by Kafka's group protocol."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, Protocol

from confluent_kafka import Consumer, KafkaException, TopicPartition

from consumers.cluster.partitions import Partition
from kernel.process.logs import get_logger

_log = get_logger("touchline.reader")
#: How long a leader has to say where a partition's end is. While partitions are given out nothing is read.
_ASK_S: Final = 3.0
#: librdkafka's "so many records before the end": below this number, by so many.
_TAIL: Final = -2000
_NONE: Final[Mapping[str, Callable[[], int]]] = MappingProxyType({})


class Assigned(Protocol):
    """Told of what begins and what ends. Called in the reader's thread."""

    def begin(
        self, partitions: dict[Partition, int | None], whole: set[Partition], counts: dict[str, int]
    ) -> None:
        """Partitions are read now: each with where its end was (-1: empty; None: it could not be asked); and
        how many topics have.
        """

    def end(self, partitions: set[Partition]) -> None:
        """Partitions are read no more."""

    def counted(self, counts: dict[str, int]) -> None:
        """So many partitions there are; which of them are for this reader comes later, or none are."""


Assign = Callable[[Consumer, Assigned], None]


def all_of(fills: Mapping[str, int], since: Mapping[str, Callable[[], int]] = _NONE) -> Assign:
    """Every partition of these topics, each from so many records before its end; of those in `since` from
    this time on, if that is earlier."""

    def assign(consumer: Consumer, told: Assigned) -> None:
        known = consumer.list_topics(timeout=10).topics
        parts = [TopicPartition(topic, n) for topic in fills for n in known[topic].partitions]
        starts, ends, whole = _starts(consumer, parts, fills, since)
        consumer.assign(starts)
        told.begin(ends, whole, {topic: len(known[topic].partitions) for topic in fills})

    return assign


def share_of(topic: str, fill: int) -> Assign:
    """What the cell's group gives this edge. A new owner starts `fill` records earlier."""

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
    consumer: Consumer,
    parts: list[TopicPartition],
    fills: Mapping[str, int],
    since: Mapping[str, Callable[[], int]] = _NONE,
) -> tuple[list[TopicPartition], dict[Partition, int | None], set[Partition]]:
    """Where to start reading each partition, where its end is, and which are read from their first record.

    It raises nothing where a leader does not answer: while partitions are given out an error would end the
    reader. Then the client finds the partition itself when it reaches the leader, and the others are read.
    """
    starts: list[TopicPartition] = []
    ends: dict[Partition, int | None] = {}
    whole: set[Partition] = set()
    for part in parts:
        partition = TopicPartition(part.topic, part.partition)
        try:
            low, end = consumer.get_watermark_offsets(partition, timeout=_ASK_S)
            start = max(low, end - fills[part.topic])
            if part.topic in since:
                start = min(start, _at(consumer, partition, since[part.topic](), end))
        except KafkaException as error:
            _log.warning("a partition's leader is not in reach", partition=part.partition, why=str(error))
            starts.append(TopicPartition(part.topic, part.partition, _TAIL - fills[part.topic]))
            ends[part.topic, part.partition] = None
            continue
        starts.append(TopicPartition(part.topic, part.partition, start))
        ends[part.topic, part.partition] = end if end > start else -1
        if start == 0:
            whole.add((part.topic, part.partition))
    return starts, ends, whole


def _at(consumer: Consumer, partition: TopicPartition, time_ms: int, end: int) -> int:
    """The first record of this time or later; its end, where there is none. Raises KafkaException."""
    asked = TopicPartition(partition.topic, partition.partition, time_ms)
    (found,) = consumer.offsets_for_times([asked], timeout=_ASK_S)
    return end if found.offset < 0 else found.offset
