"""What edges tell each other of this moment: who types, what was received and read, who is here.

A topic of ten minutes that every edge reads from when it begins; nothing of it is an event.
"""

import contextlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from control.topic_tables.table import Row
from kernel.clock import Clock
from kernel.errors import TouchlineError
from schemas.codec import Codec

TYPING: Final = "typing"
RECEIPTS: Final = "receipts"
WHO: Final = "who"
HERE: Final = "here"
DISCONNECT: Final = "disconnect"
#: Rows of one signal.
MOST_ROWS: Final = 1000

Heard = Callable[[Mapping[str, Any]], None]


def signal(
    what: str,
    *,
    edge: str,
    at_ms: int,
    user: str | None = None,
    stream: str | None = None,
    rows: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """A signal, for the codec."""
    empty = {"devices": 0, "since": 0, "delivered": 0, "read": 0}
    return {
        "what": what,
        "edge": edge,
        "at": at_ms,
        "user": user,
        "stream": stream,
        "rows": [{**empty, **row} for row in rows[:MOST_ROWS]],
    }


class Signals:
    """The signals of one edge: those that it gives, and who hears those of others."""

    def __init__(self, clock: Clock, codec: Codec, write: Callable[[str, bytes], None]) -> None:
        self._clock, self._codec, self._write = clock, codec, write
        #: A name that no other edge has.
        self.name = secrets.token_urlsafe(9)
        self.heard_by: dict[str, Heard] = {}

    def give(self, what: str, key: str, **said: Any) -> None:
        """Tell all edges; one that is lost is made up for by the next."""
        value = signal(what, edge=self.name, at_ms=self._clock.now_ms(), **said)
        with contextlib.suppress(TouchlineError):
            self._write(key, self._codec.encode(value))

    def learn(self, row: Row) -> None:
        """Somebody has told something; what this edge said itself it knows."""
        said = row.value
        if said is None or said["edge"] == self.name:
            return
        heard = self.heard_by.get(said["what"])
        if heard is not None:
            heard(said)
