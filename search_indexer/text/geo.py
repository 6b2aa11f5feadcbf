"""Distance on the earth, as Elasticsearch measures it (a sphere), for alerts about places."""

import math
from typing import Final

_RADIUS_M: Final = 6_371_008.7714


def metres_between(lat: float, lon: float, other_lat: float, other_lon: float) -> float:
    """Along the great circle (haversine)."""
    one, two = math.radians(lat), math.radians(other_lat)
    half = (
        math.sin((two - one) / 2) ** 2
        + math.cos(one) * math.cos(two) * math.sin(math.radians(other_lon - lon) / 2) ** 2
    )
    return 2 * _RADIUS_M * math.asin(min(1.0, math.sqrt(half)))
