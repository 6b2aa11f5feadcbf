"""Distances as people write them: `5mi`, `800m`. Pure."""

import re
from typing import Final

_METRES: Final = {"m": 1.0, "km": 1000.0, "mi": 1609.344, "ft": 0.3048, "yd": 0.9144}
_DISTANCE: Final = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)\s?(m|km|mi|ft|yd)")


def metres_of(text: str) -> float | None:
    """A distance with its unit, in metres; None: it is none."""
    found = _DISTANCE.fullmatch(text.strip())
    return None if found is None else float(found[1]) * _METRES[found[2]]
