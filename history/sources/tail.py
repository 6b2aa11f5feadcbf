"""The stretch of the log from the watermark on, read for one stream in either direction."""

from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Final

from history.pages import Bound, Entry, Span, Watermark, merged, place_of
from history.sources.log import Deadline, LogReader
from kernel.log.positions import MAX_SEQ
from kernel.log.records import Partition

#: A tail up to this long is read from its start; in a longer one the partition is looked for first.
_SHORT: Final = 5_000
_FIRST_CHUNK: Final = 500
_LARGEST_CHUNK: Final = 50_000


@dataclass(frozen=True)
class Tail:
    """What the index does not have yet of a stream; all that the log has, where the index does not answer."""

    span: Span
    partition: Partition
    watermark: Watermark

    def after(self, reader: LogReader, after: int, bound: Bound, *, deadline: Deadline) -> list[Entry]:
        """The first events with a higher seq than `after`, which is not below the watermark's.

        All, or more than the bound holds.
        """
        low, high = reader.bounds(self.partition, deadline)
        start = max(low, self.watermark.offset)
        if after and high - start > _SHORT:
            start = self._place_of(reader, after + 1, start, high, deadline)
        found: dict[int, Entry] = {}
        size = 0
        for entry in reader.scan(self.span, self.partition, start, high, deadline):
            if entry.seq > after and entry.seq not in found:
                found[entry.seq] = entry
                size += len(entry.body)
                if bound.exceeded(len(found), size):
                    break  # first occurrences come in order, so nothing lower follows
        return merged(found.values())

    def before(self, reader: LogReader, upto: int, bound: Bound, *, deadline: Deadline) -> list[Entry]:
        """The last events up to the seq `upto` that lie behind the watermark, read backwards.

        All, or more than the bound holds.
        """
        low, high = reader.bounds(self.partition, deadline)
        floor = max(low, self.watermark.offset)
        if upto < MAX_SEQ and high - floor > _SHORT:
            # What is looked for lies up to so many records behind the partition.
            high = min(high, _near() + self._place_of(reader, upto + 1, floor, high, deadline))
        found = Last(bound)
        chunk = _FIRST_CHUNK
        while high > floor and not found.enough:
            start = max(floor, high - chunk)
            for entry in reader.scan(self.span, self.partition, start, high, deadline):
                if self.watermark.seq < entry.seq <= upto:
                    found.put(entry)
            high, chunk = start, min(chunk * 4, _LARGEST_CHUNK)
        return merged(found.entries.values())

    def _place_of(self, reader: LogReader, seq: int, low: int, high: int, deadline: Deadline) -> int:
        kind = self.span.stream.kind
        return place_of(
            seq, low, high, lambda o: reader.seq_at(kind, self.partition, o, high, deadline), near=_near()
        )


class Last:
    """Of entries in nearly any order the last ones by `seq`, as many as it takes to exceed the bound."""

    def __init__(self, bound: Bound) -> None:
        self._bound = bound
        self.entries: dict[int, Entry] = {}
        self._seqs: list[int] = []  # a heap: the lowest first
        self._size = 0

    @property
    def enough(self) -> bool:
        return self._bound.exceeded(len(self.entries), self._size)

    def put(self, entry: Entry) -> None:
        if entry.seq in self.entries or (self.enough and entry.seq < self._seqs[0]):
            return
        self.entries[entry.seq] = entry
        self._size += len(entry.body)
        heappush(self._seqs, entry.seq)
        while True:  # as long as it is more than enough without the lowest one
            lowest = self.entries[self._seqs[0]]
            if not self._bound.exceeded(len(self.entries) - 1, self._size - len(lowest.body)):
                return
            del self.entries[heappop(self._seqs)]
            self._size -= len(lowest.body)


def _near() -> int:
    return _SHORT // 4
