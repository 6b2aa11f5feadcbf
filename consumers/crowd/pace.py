"""How quickly totals rise: of the last two seconds, a second's worth. Pure."""

from collections import deque
from collections.abc import Mapping
from typing import Final

WINDOW_S: Final = 2.0


class Pace:
    """The totals of one place, as they were seen of late."""

    __slots__ = ("_seen",)

    def __init__(self, now: float, totals: Mapping[str, int]) -> None:
        self._seen: deque[tuple[float, Mapping[str, int]]] = deque([(now, totals)])

    def note(self, now: float, totals: Mapping[str, int]) -> dict[str, float]:
        """They are so now; how many came in a second, of what has come more often."""
        seen = self._seen
        seen.append((now, totals))
        while len(seen) > 1 and seen[1][0] <= now - WINDOW_S:
            seen.popleft()
        since, before = seen[0]
        span = min(max(now - since, 0.1), WINDOW_S)
        rates = ((name, (count - before.get(name, 0)) / span) for name, count in totals.items())
        return {name: round(rate, 1) for name, rate in rates if rate > 0}
