"""How many channels somebody may close: each of them is a name in the filter of searches."""

from typing import Final

from control.state import ControlState
from kernel.access.tokens import Grants
from kernel.clock import Clock
from kernel.errors import TouchlineError

#: So long a count holds; what is let through meanwhile is added to it.
_HOLDS_S: Final = 1.0
_MOST_COUNTS: Final = 1000


class Closing:
    """Counts for whoever administers channels by a pattern; who may that on all of them is not counted."""

    def __init__(self, known: ControlState, clock: Clock, most: int) -> None:
        self._known, self._clock, self._most = known, clock, most
        #: Patterns -> when they were counted, and how many there are with those that were let through since.
        self._counts: dict[tuple[str, ...], tuple[float, int]] = {}

    def take(self, grants: Grants) -> None:
        """One more is closed. Raises `limit_reached` where there are as many as may be."""
        if grants.allows("admin", "*"):
            return
        now, patterns = self._clock.monotonic(), tuple(grants.can.get("admin", ()))
        at, count = self._counts.get(patterns, (float("-inf"), 0))
        if now - at >= _HOLDS_S:
            if len(self._counts) >= _MOST_COUNTS:
                self._counts.clear()
            at, count = now, self._known.closed_by(grants)
        self._counts[patterns] = (at, count + (count < self._most))
        if count >= self._most:
            raise TouchlineError(
                "limit_reached",
                f"Of the channels that you administer {count:,} are closed, which is as many as may be.",
                hint="Open some again, or use rooms.",
            )
