"""Heartbeats in parts of bounded size: the first under the edge's name, others under `<edge>#<number>`. Pure.

A part tells of streams that no other part of the edge tells of: who only sums up may take it for an edge.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

#: Streams in one part of a heartbeat: with the longest names that is a seventh of what a record may be.
ROWS_A_PART: Final = 1000
_PART: Final = re.compile(r"(.+)#([1-9][0-9]{0,5})")


def part_key(edge: str, part: int) -> str:
    """The key of a part of a heartbeat."""
    return f"{edge}#{part}" if part else edge


def read_part_key(key: str) -> tuple[str, int]:
    """The edge, and which part of its heartbeat this is the key of."""
    found = _PART.fullmatch(key)
    return (found[1], int(found[2])) if found else (key, 0)


def parts_of(rows: Sequence[Any]) -> list[Sequence[Any]]:
    """The rows of a heartbeat, cut into parts; there is always a first one."""
    return [rows[at : at + ROWS_A_PART] for at in range(0, max(1, len(rows)), ROWS_A_PART)]


class StreamSums:
    """Viewers of each stream over all parts that were heard: asking costs the same however many there are."""

    def __init__(self) -> None:
        self._parts: dict[str, Mapping[str, int]] = {}
        self._sums: Counter[str] = Counter()

    def heard(self, key: str, streams: Mapping[str, int]) -> None:
        """What a part says now."""
        self.forget(key)
        self._parts[key] = streams
        for stream, viewers in streams.items():
            self._sums[stream] += viewers

    def forget(self, key: str) -> None:
        """It counts no more."""
        for stream, viewers in self._parts.pop(key, {}).items():
            left = self._sums[stream] - viewers
            if left > 0:
                self._sums[stream] = left
            else:
                del self._sums[stream]

    def viewers(self, stream: str) -> int:
        return self._sums.get(stream, 0)
