"""How far a place lies beyond the border of a circle or polygon, in metres; inside, below zero. Pure."""

from typing import Final

import numpy as np

from control.geo.cells import Box, box_around
from control.geo.distances import EARTH_M, Floats, metres
from control.nearby.fences import Fence

_DEGREE_M: Final = EARTH_M * float(np.pi) / 180


class Polygon:
    """Its corners, with longitudes that go on across the antimeridian."""

    __slots__ = ("_lat", "_lon")

    def __init__(self, corners: list[tuple[float, float]]) -> None:
        self._lat = np.array([lat for lat, _ in corners])
        lons = np.array([lon for _, lon in corners])
        steps = (np.diff(lons) + 180) % 360 - 180
        self._lon = lons[0] + np.concatenate(([0.0], np.cumsum(steps)))

    def box(self, beyond_m: float) -> Box:
        """The box that it lies in, with so much around it."""
        reach = beyond_m / _DEGREE_M
        south, north = float(self._lat.min()) - reach, float(self._lat.max()) + reach
        widest = max(np.cos(np.radians(min(90.0, max(abs(south), abs(north))))), 1e-6)
        side = reach / float(widest)
        west, east = float(self._lon.min()) - side, float(self._lon.max()) + side
        if east - west >= 360:
            return Box(max(south, -90.0), min(north, 90.0), -180.0, 360.0)
        return Box(max(south, -90.0), min(north, 90.0), west, east - west)

    def beyond(self, lat: float, lon: float) -> float:
        """How far beyond its border a place lies."""
        # The nearest way round to it.
        lon += 360 * round((float(self._lon.mean()) - lon) / 360)
        # On a flat map of the place's surroundings, in metres.
        x = (self._lon - lon) * (_DEGREE_M * np.cos(np.radians(lat)))
        y = (self._lat - lat) * _DEGREE_M
        x2, y2 = np.roll(x, -1), np.roll(y, -1)
        crosses = (y > 0) != (y2 > 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            at = x - y * (x2 - x) / (y2 - y)
        inside = int(np.count_nonzero(crosses & (at > 0))) % 2 == 1
        dx, dy = x2 - x, y2 - y
        length = dx * dx + dy * dy
        along = np.clip(-(x * dx + y * dy) / np.where(length > 0, length, 1.0), 0.0, 1.0)
        nearest = float(np.sqrt(((x + along * dx) ** 2 + (y + along * dy) ** 2).min()))
        return -nearest if inside else nearest


def beyond_circles(lat: Floats, lon: Floats, of_lat: Floats, of_lon: Floats, radius: Floats) -> Floats:
    """The same of circles, for many places at once."""
    return metres(lat, lon, of_lat, of_lon) - radius


def box_of(fence: Fence, polygon: Polygon | None, beyond_m: float) -> Box:
    """The box that a fence lies in, with so much around it."""
    if polygon is not None:
        return polygon.box(beyond_m)
    return box_around(fence.lat, fence.lon, fence.radius_m + beyond_m)
