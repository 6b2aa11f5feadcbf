"""Takes away what reactions and votes came to once their events are gone from the log: some at a time."""

from collections.abc import Iterator
from typing import Final, Protocol

from control.crowd.totals import VOTES, slot_of_key
from kernel.log.positions import time_of_id
from kernel.log.topics import DAY_MS

#: Events are kept for thirty days, and that they were taken back for 32.
KEPT_MS: Final = 33 * DAY_MS
#: Totals that are looked at at once, by their keys alone.
_PAGE: Final = 200


class Totals(Protocol):
    """All totals, as the table has them."""

    def keys(self, *, after: bytes, limit: int) -> tuple[list[bytes], bool]: ...


class CrowdSweep:
    """Goes round and round."""

    def __init__(self, totals: Totals) -> None:
        self._totals = totals
        self._after = b""

    def due(self, now_ms: int) -> Iterator[bytes]:
        """Of the next totals the keys of those that may go. Whoever owns them takes them away."""
        keys, more = self._totals.keys(after=self._after, limit=_PAGE)
        self._after = keys[-1] if more and keys else b""
        return (key for key in keys if over(key, now_ms))


def over(key: bytes, now_ms: int) -> bool:
    """Whether it is of an event or poll of which nothing is kept any more. Applause stays."""
    event = slot_of_key(key)[1].removeprefix(VOTES)
    return event.isdigit() and now_ms - time_of_id(event) > KEPT_MS
