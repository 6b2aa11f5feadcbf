"""What an agent is handed (batches of parts of records), and the ledger of which offsets may be committed.

A batch is what one poll brought of one topic. Faust sees it as a single event, so that its cost per event
is paid once for up to a thousand records.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from typing import NamedTuple

from kernel.log.records import Partition, Record


class PartitionBatch(NamedTuple):
    """Consecutive records of one partition."""

    place: Partition
    records: list[Record]

    @property
    def first(self) -> int:
        return self.records[0].offset

    @property
    def next(self) -> int:
        """The offset after the last record."""
        return self.records[-1].offset + 1


def slices(
    parts: Iterable[PartitionBatch], most: int, most_bytes: int = 1 << 62
) -> Iterator[list[PartitionBatch]]:
    """The same records, in their order, in parts of at most `most`: partitions with few records share one.

    A part ends, too, with the record that brings it to `most_bytes`.
    """
    part: list[PartitionBatch] = []
    room, bytes_left = most, most_bytes
    for place, records in parts:
        start = 0
        while start < len(records):
            some = records[start : start + room]
            sizes = [len(value) if value else 0 for _, _, _, value, _ in some]
            # Nearly always all of them have room: one by one they are looked at where they have not.
            if (together := sum(sizes)) >= bytes_left:
                fit = bisect_left(list(accumulate(sizes)), bytes_left) + 1
                some, together = some[:fit], sum(sizes[:fit])
            bytes_left -= together
            part.append(PartitionBatch(place, some))
            start, room = start + len(some), room - len(some)
            if not room or bytes_left <= 0:
                yield part
                part, room, bytes_left = [], most, most_bytes
    if part:
        yield part


class TopicBatch:
    """The parts of one topic that one poll brought. `finish` says that all outputs are with the sink."""

    __slots__ = ("finished", "opening", "parts", "topic")

    def __init__(self, topic: str, opening: int, parts: list[PartitionBatch]) -> None:
        self.topic = topic
        self.parts = parts
        #: Which opening of the reader brought it: what an older one brought no longer counts.
        self.opening = opening
        self.finished = False

    def __len__(self) -> int:
        return sum(len(part.records) for part in self.parts)

    @property
    def size(self) -> int:
        """Bytes of all values."""
        return sum(len(record.value or b"") for part in self.parts for record in part.records)

    def __iter__(self) -> Iterator[PartitionBatch]:
        return iter(self.parts)


class Ledger:
    """Which batches are under way, and up to where each partition may be committed.

    Batches of a topic may finish in any order; a partition's offset moves only over finished ones.
    """

    def __init__(self) -> None:
        self._under_way: dict[str, deque[TopicBatch]] = {}
        self._reached: dict[Partition, int] = {}
        self._committed: dict[Partition, int] = {}
        self._opening = 0

    def open(self, starts: Mapping[Partition, int]) -> int:
        """Reading starts anew at these offsets; returns the number of this opening."""
        self._opening += 1
        self._under_way.clear()
        self._reached = {place: start for place, start in starts.items() if start >= 0}
        self._committed = dict(self._reached)
        return self._opening

    def close(self) -> None:
        """Nothing that was under way counts any more; what is finished may still be committed."""
        self._settle()
        self._under_way.clear()
        self._opening += 1

    @property
    def opening(self) -> int:
        return self._opening

    @property
    def idle(self) -> bool:
        """Whether all batches are finished."""
        self._settle()
        return not any(self._under_way.values())

    def holds(self, batch: TopicBatch) -> bool:
        """Whether what is made of it counts. Not once its partitions were shared out again."""
        return batch.opening == self._opening

    def start(self, batch: TopicBatch) -> bool:
        """A batch goes to its agent. False if it is of an older opening, and must be dropped."""
        if not self.holds(batch):
            return False
        self._under_way.setdefault(batch.topic, deque()).append(batch)
        return True

    def committable(self) -> dict[Partition, int]:
        """Partition -> offset that may be committed and has not been yet."""
        self._settle()
        return {p: offset for p, offset in self._reached.items() if offset > self._committed.get(p, -1)}

    def committed(self, offsets: Mapping[Partition, int]) -> None:
        """Kafka has taken these offsets."""
        self._committed.update(offsets)

    def forget(self, places: Iterator[Partition]) -> None:
        """These partitions belong to another worker now."""
        for place in places:
            self._reached.pop(place, None)
            self._committed.pop(place, None)

    def _settle(self) -> None:
        for batches in self._under_way.values():
            while batches and batches[0].finished:
                for part in batches.popleft():
                    self._reached[part.place] = part.next
