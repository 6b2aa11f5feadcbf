"""A histogram as a line of characters, and how long each of its bars is."""

from collections.abc import Sequence
from typing import Final

_BARS: Final = " ▁▂▃▄▅▆▇█"
_COLUMNS: Final = 60
_UNITS: Final = (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1000))


def histogram(counts: Sequence[int], bar_ms: int) -> tuple[str, str]:
    """The bars, at most sixty, and the length of one: counts that would not fit go together."""
    width = max(1, -(-len(counts) // _COLUMNS))
    sums = [sum(counts[i : i + width]) for i in range(0, len(counts), width)]
    most = max(sums, default=0) or 1
    return "".join(_BARS[-(-8 * count // most)] for count in sums), duration(width * bar_ms)


def duration(ms: int) -> str:
    """`1 s`, `90 s`, `15 min`, `1 d`: in the largest unit of which it is a whole number."""
    return next((f"{ms // size} {unit}" for unit, size in _UNITS if ms >= size and not ms % size), f"{ms} ms")
