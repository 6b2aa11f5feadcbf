"""How many channels somebody may close: each of them is a name in the filter of searches."""

from typing import Final

from control.channels.channel import ChannelRecord
from control.state import ControlState, weight
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

    def take(self, grants: Grants, before: ChannelRecord, size: int) -> None:
        """One is closed, or stays so, with settings of so many bytes. Raises `limit_reached`."""
        was = weight(self._known.channels.size_listed(before.channel)) if before.settings.readers else 0
        more = weight(size) - was
        if more <= 0 or grants.allows("admin", "*"):
            return
        now, patterns = self._clock.monotonic(), tuple(grants.can.get("admin", ()))
        at, count = self._counts.get(patterns, (float("-inf"), 0))
        if now - at >= _HOLDS_S:
            if len(self._counts) >= _MOST_COUNTS:
                self._counts.clear()
            at, count = now, self._known.closed_by(grants)
        fits = count + more <= self._most
        self._counts[patterns] = (at, count + (more if fits else 0))
        if not fits:
            raise TouchlineError(
                "limit_reached",
                f"Of the channels that you administer {self._most:,} may be closed; each of their kB counts.",
                hint="Open some again, or use rooms.",
            )
