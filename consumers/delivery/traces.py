"""Traces of single events at an edge: read, written to its viewers, and acknowledged by the first of them."""

import threading
from collections import OrderedDict, deque
from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol, cast

from confluent_kafka import Message

from consumers.delivery.records import Decode, UnreadableRecord
from control.inbox.unread import ReadUpTo
from kernel.clock import Clock
from kernel.log.records import Headers
from kernel.process.tracing import Tracing, open_tracing, traced
from kernel.settings.reading import Settings

#: So many traced events an edge remembers, so long; of each the first so many devices that acknowledge it.
_EVENTS: Final = 1000
_REMEMBERED_MS: Final = 60_000
_DEVICES: Final = 10


class Book(Protocol):
    """What devices have acknowledged and users have read."""

    def acked(self, user: str, device: str, stream: str, seq: int) -> None: ...

    def read(self, user: str, device: str, stream: str, upto: ReadUpTo) -> None: ...


class _Shown(NamedTuple):
    seq: int
    parent: bytes
    at_ms: int
    #: Users with their devices that have acknowledged it.
    had_by: set[tuple[str, str]]


class EdgeTraces:
    """The spans of one edge. Readers tell it, in their threads, what was written; viewers what they have."""

    def __init__(self, tracing: Tracing, clock: Clock, decode: Decode) -> None:
        self.tracing, self._clock, self._decode = tracing, clock, decode
        self._shown: OrderedDict[str, deque[_Shown]] = OrderedDict()
        self._count = 0
        self._lock = threading.Lock()

    def read(self, messages: Sequence[Message]) -> list[Message]:
        """They are read, and written to their viewers next: those that are traced, to be told `written`."""
        found = []
        for message in messages:
            if message.error() is None and (headers := message.headers()):
                parent, value = traced(cast("Headers", headers)), message.value()
                if parent is not None and value is not None:
                    self._remember(value, parent)
                    found.append(message)
        return found

    def written(self, messages: Sequence[Message]) -> None:
        """They are written to their viewers."""
        for message in messages:
            at = (cast("Headers", message.headers()), message.offset() or 0, message.timestamp()[1])
            self.tracing.records("deliver", message.topic() or "", message.partition() or 0, [at])

    def acked(self, user: str, device: str, stream: str, seq: int) -> None:
        """This device has the stream up to here."""
        if stream not in self._shown:
            return
        now_ms = self._clock.now_ms()
        with self._lock:
            had = [
                one
                for one in self._shown.get(stream, ())
                if one.seq <= seq and now_ms - one.at_ms < _REMEMBERED_MS and len(one.had_by) < _DEVICES
            ]
        for one in had:
            if (user, device) not in one.had_by:
                one.had_by.add((user, device))
                about = {"touchline.stream": stream, "touchline.seq": str(one.seq)}
                self.tracing.done("ack", one.parent, one.at_ms, about)

    def _remember(self, value: bytes, parent: bytes) -> None:
        try:
            record = self._decode(value)
        except UnreadableRecord:  # whoever delivers says so
            return
        with self._lock:
            kept = self._shown.setdefault(record.stream, deque())
            if kept and kept[-1].seq == record.seq:  # of another shard
                return
            kept.append(_Shown(record.seq, parent, self._clock.now_ms(), set()))
            self._shown.move_to_end(record.stream)
            self._count += 1
            while self._count > _EVENTS:
                oldest = next(iter(self._shown))
                self._shown[oldest].popleft()
                self._count -= 1
                if not self._shown[oldest]:
                    del self._shown[oldest]


class TracedBook:
    """A book in whose words traced events are looked for, too."""

    def __init__(self, book: Book, traces: EdgeTraces) -> None:
        self._book, self._traces = book, traces
        self.read = book.read

    def acked(self, user: str, device: str, stream: str, seq: int) -> None:
        self._book.acked(user, device, stream, seq)
        self._traces.acked(user, device, stream, seq)


def open_traces(settings: Settings, clock: Clock, decode: Decode) -> EdgeTraces | None:
    """None where nothing is traced."""
    tracing = open_tracing(settings, "edge", clock)
    return None if tracing is None else EdgeTraces(tracing, clock, decode)
