"""Which polls are to be ended now: of each that is open it is remembered when that is.

Anybody may ask polls, and those without a time are open for good: what is looked at each second must not be
what has to be read.
"""

import math
from collections.abc import Callable, Container
from typing import Final

from control.crowd.totals import OPEN, Total
from control.entity.view import View

#: How long after its time a poll is closed: by then all votes of before are on the log.
GRACE_MS: Final = 1000
#: Polls that are read, and that are ended, at one look: others have their turn in between. And those of which
#: it is asked whose they are.
_AT_ONCE: Final = 500
_ASKED: Final = 5000


class Ends:
    """The polls of the partitions that a worker has."""

    def __init__(self, totals: View[Total], owns: Callable[[bytes], bool]) -> None:
        self._totals, self._owns = totals, owns
        #: Append times; 0 of one that is closed, and of which it is not known that this is told.
        self._ends: dict[bytes, float] = {}

    def clear(self) -> None:
        """Others may have had them meanwhile."""
        self._ends.clear()

    def changed(self, key: bytes) -> None:
        """A total is another one now."""
        self._ends.pop(key, None)

    def due(self, now_ms: int, asked: Container[bytes]) -> list[tuple[bytes, Total]]:
        """Those whose time has come, and for which nothing was `asked` a moment ago."""
        ends, due, read, new = dict[bytes, float](), list[bytes](), 0, 0
        for key in self._totals.keys_listed(OPEN):
            at = self._ends.get(key)
            if at is None:
                if read == _AT_ONCE or new == _ASKED:
                    continue
                new += 1
                at = math.inf
                if self._owns(key):
                    read += 1
                    at = self._end_of(key)
            ends[key] = at
            if at <= now_ms and len(due) < _AT_ONCE and key not in asked:
                due.append(key)
        self._ends = ends
        return [(key, total) for key in due if (total := self._totals.get(key)) is not None]

    def _end_of(self, key: bytes) -> float:
        total = self._totals.get(key)
        if total is None or total.poll is None or total.retracted or total.poll.told:
            return math.inf
        if total.poll.closed is not None:
            return 0
        return math.inf if total.poll.closes is None else total.poll.closes + GRACE_MS
