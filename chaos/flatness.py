"""Whether what was measured over a long time stays where it was. Pure: its tests show it failing."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Final, NamedTuple

#: The beginning is warm-up: caches, rings and pools fill.
_WARM: Final = 0.2


class Bound(NamedTuple):
    """How much more the last third may be than the first one: a share of it, and an amount."""

    share: float
    amount: float


class Drift(NamedTuple):
    """A series' medians, of the first third after the warm-up and of the last."""

    first: float
    last: float


def drift(series: Sequence[float]) -> Drift:
    """From where to where a series has gone. Too short a series has gone nowhere."""
    warm = list(series[round(len(series) * _WARM) :])
    third = len(warm) // 3
    if third == 0:
        return Drift(0.0, 0.0)
    return Drift(median(warm[:third]), median(warm[-third:]))


def not_flat(measured: Mapping[str, Sequence[float]], bounds: Mapping[str, Bound]) -> list[str]:
    """What has grown, in sentences. A series is bound by the last word of its name."""
    wrong = []
    for name, series in measured.items():
        bound, gone = bounds[name.rpartition(" ")[2]], drift(series)
        if gone.last > gone.first * (1 + bound.share) + bound.amount:
            wrong.append(f"{name} was {gone.first:.1f} and became {gone.last:.1f}")
    return wrong
