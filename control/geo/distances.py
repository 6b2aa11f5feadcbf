"""Distances on the earth, of arrays of places in degrees: along great circles of a sphere (0097). Pure.

The sphere has the earth's mean radius: against the ellipsoid it is off by 0.56 % at most. Poles and the
antimeridian are places like any other.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

EARTH_M: Final = 6_371_008.8
#: Half of the way around.
FARTHEST_M: Final = EARTH_M * float(np.pi)


def metres(
    lat: Floats | float, lon: Floats | float, other_lat: Floats | float, other_lon: Floats | float
) -> Floats:
    """Between places, one by one (haversine)."""
    one, two = np.radians(lat), np.radians(other_lat)
    half = np.sin((two - one) / 2) ** 2
    half += np.cos(one) * np.cos(two) * np.sin(np.radians(np.subtract(other_lon, lon)) / 2) ** 2
    found: Floats = 2 * EARTH_M * np.arcsin(np.sqrt(np.minimum(half, 1.0)))
    return found
