"""Retention classes: which channels' events are kept for fewer days, and from when on they are kept.

Edges, gateway and indexer keep to it alike. A class that the settings do not name, or that is no shorter
than the whole, is none: such a channel keeps its events as long as all others.
"""

from collections.abc import Callable, Iterable
from typing import Final

from kernel.errors import TouchlineError
from kernel.log.positions import MAX_LANES, lane
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
        class_of: Callable[[str], str | None] = lambda _: None,
        expiring: Callable[[], Iterable[tuple[str, str | None]]] = tuple,
    ) -> None:
        """`class_of` a channel or lane, and all channels that have one; without them none has."""
        whole = indexer.retention_days
        self._shorter = {n: days for n, days in days_of(indexer.retention_classes).items() if days < whole}
        self._class_of, self._expiring = class_of, expiring

    def kept_since(self, channel: str, now_ms: int) -> int:
        """The append time from which on the channel's events are kept now; 0 where its class takes none."""
        if not self._shorter:
            return 0
        days = self._shorter.get(self._class_of(channel) or "")
        return 0 if days is None else now_ms - days * _DAY_MS

    def cutoffs(self, now_ms: int) -> dict[int, list[str]]:
        """For each append time from which on some are kept: the channels of which that is true."""
        found: dict[int, list[str]] = {}
        for channel, name in self._expiring():
            days = self._shorter.get(name or "")
            if days is not None:
                found.setdefault(now_ms - days * _DAY_MS, []).append(channel)
        return found


def with_lanes(channels: Iterable[str]) -> list[str]:
    """These channels, and all lanes that they may have."""
    return [name for channel in channels for name in (channel, *(lane(channel, n) for n in range(MAX_LANES)))]
