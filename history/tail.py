"""The stretch of the log from the watermark on, read for one stream in either direction."""

from dataclasses import dataclass
from typing import Final

from history.log import Deadline, LogReader
from history.pages import Entry, Span, Watermark, merged, place_of
from kernel.positions import MAX_SEQ
from kernel.records import Partition

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

    def after(self, reader: LogReader, after: int, limit: int, *, deadline: Deadline) -> list[Entry]:
        """The first `limit` events with a higher seq than `after`, which is not below the watermark's."""
        low, high = reader.bounds(self.partition, deadline)
        start = max(low, self.watermark.offset)
        if after and high - start > _SHORT:
            start = self._place_of(reader, after + 1, start, high, deadline)
        found: dict[int, Entry] = {}
        for entry in reader.scan(self.span, self.partition, start, high, deadline):
            if entry.seq > after:
                found.setdefault(entry.seq, entry)
                if len(found) >= limit:
                    break  # first occurrences come in order, so nothing lower follows
        return merged(found.values())

    def before(self, reader: LogReader, upto: int, limit: int, *, deadline: Deadline) -> list[Entry]:
        """The last `limit` events up to the seq `upto` that lie behind the watermark, read backwards."""
        low, high = reader.bounds(self.partition, deadline)
        floor = max(low, self.watermark.offset)
        if upto < MAX_SEQ and high - floor > _SHORT:
            # What is looked for lies up to so many records behind the partition.
            high = min(high, _near() + self._place_of(reader, upto + 1, floor, high, deadline))
        found: dict[int, Entry] = {}
        chunk = _FIRST_CHUNK
        while high > floor and len(found) < limit:
            start = max(floor, high - chunk)
            for entry in reader.scan(self.span, self.partition, start, high, deadline):
                if self.watermark.seq < entry.seq <= upto:
                    found.setdefault(entry.seq, entry)
            high, chunk = start, min(chunk * 4, _LARGEST_CHUNK)
        return merged(found.values())[-limit:]

    def _place_of(self, reader: LogReader, seq: int, low: int, high: int, deadline: Deadline) -> int:
        kind = self.span.stream.kind
        return place_of(
            seq, low, high, lambda o: reader.seq_at(kind, self.partition, o, high, deadline), near=_near()
        )


def _near() -> int:
    return _SHORT // 4
