"""The epochs of an ingest topic: which epoch a record has, by its partition and offset. Pure."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Epoch(NamedTuple):
    """An epoch begins when the topic is made (anew), or when it gets more partitions."""

    number: int
    topic_id: str
    partitions: int
    #: Partition -> first offset; a partition that is not named begins with the epoch.
    starts: Mapping[int, int]


class Epochs:
    """The epochs of one partition, oldest first."""

    def __init__(self, epochs: Sequence[Epoch], partition: int) -> None:
        self._numbers = [epoch.number for epoch in epochs]
        self._starts = [epoch.starts.get(partition, 0) for epoch in epochs]
        self._newest = self._numbers[-1]
        #: Below this offset lie records of older epochs: where they are was right in their time.
        self.newest_start = self._starts[-1]

    def of(self, offset: int) -> int:
        """The epoch of the record at this offset."""
        if offset >= self.newest_start:
            return self._newest
        return self._numbers[max(0, bisect_right(self._starts, offset) - 1)]


def advance(
    epochs: Sequence[Epoch], *, topic_id: str, partitions: int, ends: Mapping[int, int]
) -> list[Epoch]:
    """The epochs of a topic, given what Kafka says of it now; a new one is added if one has begun."""
    if not epochs:
        return [Epoch(1, topic_id, partitions, {})]
    last = epochs[-1]
    if last.topic_id != topic_id:
        # Made anew: its offsets start at 0 again, so the older epochs say nothing of it.
        return [Epoch(last.number + 1, topic_id, partitions, {})]
    if last.partitions != partitions:
        return [*epochs, Epoch(last.number + 1, topic_id, partitions, dict(ends))]
    return list(epochs)
