"""Retention classes: which channels' events are kept for fewer days, and from when on they are kept.

Edges, gateway and indexer keep to it alike. A class that the settings do not name, or that is no shorter
than the whole, is none: such a channel keeps its events as long as all others.
"""

from collections.abc import Callable, Iterable
from typing import Final

from kernel.errors import TouchlineError
from kernel.log.positions import MAX_LANES, lane, split_lane
from kernel.settings.reading import Indexer

_DAY_MS: Final = 24 * 60 * 60 * 1000


def days_of(classes: Iterable[str]) -> dict[str, int]:
    """Name -> days, of `name=days` as the setting has them."""
    pairs = (text.partition("=") for text in classes)
    return {name: int(days) for name, _, days in pairs}


def check_class(indexer: Indexer, name: str | None) -> None:
    """Raise `bad_request` where a channel cannot have this class, because there is none of that name."""
    allowed = days_of(indexer.retention_classes)
    if name is not None and name not in allowed:
        raise TouchlineError(
            "bad_request",
            f"There is no retention class {name[:40]!r}: it is {' or '.join([*allowed, 'null'])}.",
            hint="The classes are those of TOUCHLINE_INDEXER_RETENTION_CLASSES.",
        )


class Retention:
    """The channels with a class that is shorter than the whole. It holds for their lanes too."""

    def __init__(
        self,
        indexer: Indexer,
        class_of: Callable[[str], str | None] | None = None,
        expiring: Callable[[], Iterable[tuple[str, str | None]]] | None = None,
    ) -> None:
        """`class_of` a channel, where something else knows it, and all channels that have one."""
        whole = indexer.retention_days
        self._shorter = {n: days for n, days in days_of(indexer.retention_classes).items() if days < whole}
        self._days: dict[str, int] = {}
        self._class_of, self._expiring = class_of, expiring

    def learn(self, channel: str, name: str | None) -> None:
        """Take the class that the channel's settings name now."""
        days = None if name is None else self._shorter.get(name)
        if days is None:
            self._days.pop(channel, None)
        else:
            self._days[channel] = days

    def kept_since(self, channel: str, now_ms: int) -> int:
        """The append time from which on the channel's events are kept now; 0 where its class takes none."""
        if self._class_of is not None:
            if not self._shorter:
                return 0
            own = self._shorter.get(self._class_of(channel) or "")
            return 0 if own is None else now_ms - own * _DAY_MS
        if not self._days:
            return 0
        # A lane may have been given a class of its own: the shorter one counts.
        days = [self._days[name] for name in {channel, split_lane(channel)[0]} if name in self._days]
        return now_ms - min(days) * _DAY_MS if days else 0

    def cutoffs(self, now_ms: int) -> dict[int, list[str]]:
        """For each append time from which on some are kept: the channels of which that is true."""
        found: dict[int, list[str]] = {}
        # A copy: whoever learns may be another thread.
        days_of_all = self._days.copy()
        if self._expiring is not None:
            classes = ((channel, self._shorter.get(name or "")) for channel, name in self._expiring())
            days_of_all = {channel: days for channel, days in classes if days is not None}
        for channel, days in days_of_all.items():
            found.setdefault(now_ms - days * _DAY_MS, []).append(channel)
        return found


def with_lanes(channels: Iterable[str]) -> list[str]:
    """These channels, and all lanes that they may have."""
    return [name for channel in channels for name in (channel, *(lane(channel, n) for n in range(MAX_LANES)))]
