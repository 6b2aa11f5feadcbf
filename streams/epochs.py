"""The epochs of an ingest topic: from which offset of each partition on, which epoch its records have."""

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
    """The epochs of one topic, oldest first, as a pure function of partition and offset."""

    def __init__(self, epochs: Sequence[Epoch]) -> None:
        self._epochs = tuple(epochs)

    def of(self, partition: int, offset: int) -> int:
        """The epoch of the record at this place."""
        starts = [epoch.starts.get(partition, 0) for epoch in self._epochs]
        return self._epochs[max(0, bisect_right(starts, offset) - 1)].number
