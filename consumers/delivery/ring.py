"""The hot history of one stream: the latest events as ready-made frames, found by sequence number."""

from bisect import bisect_right
from collections.abc import Callable
from typing import Final

from consumers.delivery.events import Events
from consumers.transport.frames import event_frame, parts_of

_OVERHEAD: Final = 90  # what an event costs beside its bytes: object headers and list slots


class Ring:
    """Frames in order, complete above the sequence number `floor` (-1: it is not known above which)."""

    __slots__ = ("_frames", "_senders", "_seqs", "_start", "bytes", "capacity", "chained", "floor", "head")

    def __init__(self, capacity: int, *, floor: int = -1, chained: bool = True) -> None:
        self.capacity = capacity
        #: Whether events name the one before. Those of a stream that conflates do not: it may be left out.
        self.chained = chained
        self.floor = floor
        #: The latest sequence number that was seen; 0: none yet.
        self.head = 0
        self.bytes = 0
        self._seqs: list[int] = []
        self._frames: list[bytes] = []
        #: Who each event is of, where only the latest of each counts.
        self._senders: list[str | None] = []
        self._start = 0

    def __len__(self) -> int:
        return len(self._seqs) - self._start

    @property
    def newest(self) -> bytes | None:
        """The frame of the latest event that is here."""
        return self._frames[-1] if len(self) else None

    def append(self, seq: int, body: bytes, sender: str | None = None) -> bytes | None:
        """Take the next event and return its frame; None if it is not newer than the last (a repetition)."""
        if seq <= self.head:
            return None
        if self.floor < 0:
            # Records of a stream come in order and without holes: from the first one on, all are here.
            self.floor = seq - 1
        frame = event_frame(self.head if self.chained else 0, body)
        self.head = seq
        self._seqs.append(seq)
        self._frames.append(frame)
        if not self.chained:
            self._senders.append(sender)
        self.bytes += len(frame) + _OVERHEAD
        if len(self._seqs) - self._start > self.capacity:
            self.drop(len(self._seqs) - self._start - self.capacity)
        return frame

    def rewrite(self, holds: bytes, shown: Callable[[bytes], bytes]) -> int:
        """Show events anew whose frames hold these bytes; returns by how many bytes the ring has grown."""
        before = self.bytes
        for place in range(self._start, len(self._frames)):
            frame = self._frames[place]
            if holds in frame:
                prev, body = parts_of(frame)
                if (now := shown(body)) != body:
                    self._frames[place] = event_frame(prev, now)
                    self.bytes += len(self._frames[place]) - len(frame)
        return self.bytes - before

    def drop(self, count: int) -> int:
        """Forget the oldest; returns how many bytes that frees."""
        count = min(count, len(self))
        if count <= 0:
            return 0
        end = self._start + count
        freed = sum(map(len, self._frames[self._start : end])) + _OVERHEAD * count
        self.floor = self._seqs[end - 1]
        self._start = end
        self.bytes -= freed
        # Dropped slots are given back when they are half of the lists: constant work an event.
        if self._start * 2 >= len(self._seqs):
            del self._seqs[: self._start], self._frames[: self._start], self._senders[: self._start]
            self._start = 0
        else:
            self._frames[self._start - count : self._start] = [b""] * count
        return freed

    def learn_head(self, seq: int) -> None:
        """History says that the stream's latest event is this one, and nothing has come since."""
        if self.head == 0:
            self.head = seq
        if self.floor < 0:
            self.floor = seq

    def covers(self, after: int) -> bool:
        """Whether all events above `after` are here."""
        return 0 <= self.floor <= after

    def events_after(self, after: int, max_bytes: int) -> tuple[Events, int]:
        """Events above `after`, of about so many bytes at most (one at least), and the place reached."""
        first = bisect_right(self._seqs, after, lo=self._start)
        size, at = 0, first
        while at < len(self._seqs) and size < max_bytes:
            size += len(self._frames[at])
            at += 1
        reached = self.head if at == len(self._seqs) else self._seqs[at - 1]
        return self._events(first, at), max(after, reached)

    def count_after(self, after: int) -> int:
        """How many events above `after` are here."""
        return len(self._seqs) - bisect_right(self._seqs, after, lo=self._start)

    def start_of_last(self, count: int) -> int | None:
        """The place after which exactly the last `count` events follow; None if not so many are here."""
        if count == 0:
            return self.head
        if len(self) > count:
            return self._seqs[-count - 1]
        if len(self) == count or self.floor == 0:
            return self.floor
        return None

    def latest(self) -> Events:
        """What counts of a stream whose events replace one another: the latest of each sender held."""
        return self._events(self._start, len(self._seqs)).latest()

    def _events(self, first: int, end: int) -> Events:
        senders = None if self.chained else self._senders[first:end]
        return Events(self._seqs[first:end], self._frames[first:end], senders)
