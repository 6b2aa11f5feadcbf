"""What an agent is handed (turns of batches of records), and the ledger of which offsets may be committed.

A turn is what one poll brought of one topic. Faust sees it as a single event, so that its cost per event
is paid once for up to a thousand records.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from kernel.records import Partition, Record


class Batch(NamedTuple):
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


def slices(batches: Iterable[Batch], most: int) -> Iterator[list[Batch]]:
    """The same records, in their order, in parts of at most `most`: partitions with few records share one."""
    part: list[Batch] = []
    room = most
    for place, records in batches:
        start = 0
        while start < len(records):
            part.append(Batch(place, records[start : start + room]))
            taken = len(part[-1].records)
            start, room = start + taken, room - taken
            if not room:
                yield part
                part, room = [], most
    if part:
        yield part


class Turn:
    """The batches of one topic that one poll brought. `finish` says that all outputs are with the sink."""

    __slots__ = ("batches", "finished", "opening", "topic")

    def __init__(self, topic: str, opening: int, batches: list[Batch]) -> None:
        self.topic = topic
        self.batches = batches
        #: Which opening of the reader brought it: what an older one brought no longer counts.
        self.opening = opening
        self.finished = False

    def __len__(self) -> int:
        return sum(len(batch.records) for batch in self.batches)

    def __iter__(self) -> Iterator[Batch]:
        return iter(self.batches)


class Ledger:
    """Which turns are under way, and up to where each partition may be committed.

    Turns of a topic may finish in any order; a partition's offset moves only over finished ones.
    """

    def __init__(self) -> None:
        self._under_way: dict[str, deque[Turn]] = {}
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
        """Whether all turns are finished."""
        self._settle()
        return not any(self._under_way.values())

    def holds(self, turn: Turn) -> bool:
        """Whether what is made of it counts. Not once its partitions were shared out again."""
        return turn.opening == self._opening

    def start(self, turn: Turn) -> bool:
        """A turn goes to its agent. False if it is of an older opening, and must be dropped."""
        if not self.holds(turn):
            return False
        self._under_way.setdefault(turn.topic, deque()).append(turn)
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
        for turns in self._under_way.values():
            while turns and turns[0].finished:
                for batch in turns.popleft():
                    self._reached[batch.place] = batch.next
