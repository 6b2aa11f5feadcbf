"""A compacted topic as a table in memory: how far it is read, and what each record changes. Pure.

`control.topic_tables.follower` reads such topics from Kafka: in a thread for an event loop, or step by step.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from kernel.errors import TouchlineError
from kernel.process.lines import Lines
from kernel.process.metrics import TABLE_SKIPPED
from schemas.codec import Codec

_lines = Lines("touchline.tables")
_NAMED: Final = 128


class Row(NamedTuple):
    """A record, decoded; a value of None takes its key out."""

    key: str
    value: dict[str, Any] | None
    partition: int
    offset: int
    append_ms: int


class End(NamedTuple):
    """A partition was read up to its end, which is this offset."""

    partition: int
    offset: int


#: Takes a record in. What it raises is the record's fault: it is told, and the next one comes.
Learn = Callable[[Row], None]


def every_key(_: bytes) -> bool:
    return True


class TopicTable:
    """One topic, of however many partitions, and who takes in what it says.

    Two may share the work: a thread reads and decodes (`read`), the loop takes in (`take`).
    """

    def __init__(
        self,
        topic: str,
        codec: Codec,
        learn: Learn,
        *,
        wants: Callable[[bytes], bool] = every_key,
        whole: bool = True,
    ) -> None:
        self.topic, self._codec, self._learn = topic, codec, learn
        #: Asked before a record is decoded.
        self._wants = wants
        #: Read from the beginning; else only what comes from now on.
        self.whole = whole
        #: Partition -> the offset after the last record that is taken in: reading that failed goes on there.
        self._taken: dict[int, int] = {}
        #: Partitions of which not all is read yet that was there when they were found.
        self._behind: set[int] = set()

    # ── where it stands ──────────────────────────────────────────────────────────────────────────────

    @property
    def known(self) -> frozenset[int]:
        """The partitions that were found so far."""
        return frozenset(self._taken)

    def found(self, partition: int, start: int) -> None:
        """There is this partition, and it is read from this offset on."""
        self._taken[partition] = start
        if self.whole:
            self._behind.add(partition)

    def next(self, partition: int) -> int:
        """The offset to read next."""
        return self._taken[partition]

    @property
    def caught_up(self) -> bool:
        """Whether all that was there at the beginning is taken in."""
        return bool(self._taken) and not self._behind

    def has(self, partition: int, offset: int) -> bool:
        """Whether the record at this offset is taken in."""
        return self._taken.get(partition, 0) > offset

    # ── records ──────────────────────────────────────────────────────────────────────────────────────

    def read(
        self, partition: int, offset: int, append_ms: int, key: bytes | None, value: bytes | None
    ) -> Row | End | None:
        """A record as it was read; None: nobody wants it, or it cannot be read, which is told."""
        try:
            if not self._wants(key or b""):
                return None
            name = (key or b"").decode()
            decoded = None if value is None else self._codec.decode(value)
        except Exception as error:
            self._skip(repr(key), error.message if isinstance(error, TouchlineError) else repr(error))
            return None
        return Row(name, decoded, partition, offset, append_ms)

    def take(self, what: Row | End) -> None:
        """Take a record in. A bad one is told and left out: it ends nothing."""
        if isinstance(what, End):
            self._taken[what.partition] = max(self._taken[what.partition], what.offset)
            self._behind.discard(what.partition)
            return
        self._taken[what.partition] = what.offset + 1
        try:
            self._learn(what)
        except Exception as error:
            self._skip(what.key, repr(error))

    def _skip(self, key: str, why: str) -> None:
        TABLE_SKIPPED.labels(self.topic).inc()
        about = {"topic": self.topic, "key": key[:_NAMED], "why": why}
        _lines.warning("a record cannot be read: it is left out", self.topic, **about)
