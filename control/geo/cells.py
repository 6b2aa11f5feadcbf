"""Cells: the earth in rings of one height, each cut into cells about as wide as high. Pure.

A place's cell is found for many places at once; those that a circle or a box of degrees touches are found
by arithmetic, around poles and across the antimeridian too. There are sizes of them: what is large and
what is small touch few. Decision 0097 says why not a library's.
"""

import math
from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from control.geo.distances import EARTH_M, Floats

Ids = npt.NDArray[np.int64]

_DEGREE_M: Final = EARTH_M * math.pi / 180
_ROW, _LEVEL = 24, 48
_NONE: Final[Ids] = np.zeros(0, np.int64)
#: In degrees, a little more than rounding can be off by: near poles a hand's breadth.
_EDGE: Final = 2e-6


class Box(NamedTuple):
    """Degrees from south to north, and from west so far eastwards."""

    south: float
    north: float
    west: float
    width: float


class Boxes(NamedTuple):
    """Many of them."""

    south: Floats
    north: Floats
    west: Floats
    width: Floats

    def of(self, chosen: Ids) -> "Boxes":
        """Some of them."""
        return Boxes(*(each[chosen] for each in self))


class Grid:
    """The cells of one size."""

    def __init__(self, size_m: float, level: int = 0) -> None:
        self.rows = max(1, math.ceil(180 * _DEGREE_M / size_m))
        self.height = 180 / self.rows
        self._level = level << _LEVEL
        south = -90 + self.height * np.arange(self.rows)
        # As wide as high where the ring is longest.
        widest = np.cos(np.radians(np.clip(0.0, south, south + self.height)))
        self._columns = np.maximum(1, np.floor(360 * widest / self.height)).astype(np.int64)

    def of(self, lat: Floats, lon: Floats) -> Ids:
        """The cells of places."""
        rows = np.clip(np.floor((lat + 90) / self.height).astype(np.int64), 0, self.rows - 1)
        columns = self._columns[rows]
        found: Ids = np.floor((lon + 180) / 360 * columns).astype(np.int64) % columns
        found += rows << _ROW
        found += self._level
        return found

    def of_one(self, lat: float, lon: float) -> int:
        """The cell of a place."""
        return int(self.of(np.array([lat]), np.array([lon]))[0])

    def middle(self, cell: int) -> tuple[float, float]:
        """A cell's middle, as lat and lon."""
        row, column = cell >> _ROW & 0xFFFFFF, cell & 0xFFFFFF
        lat = -90 + (row + 0.5) * self.height
        return lat, -180 + (column + 0.5) * 360 / int(self._columns[row])

    def count(self, box: Box) -> int:
        """About how many cells a box touches, without looking at each."""
        first, last = self._row(box.south), self._row(box.north)
        if last - first > 1000:
            return (last - first) * 1000
        return sum(columns for _, _, columns in self._parts(box, first, last))

    def touching(self, box: Box) -> Iterator[int]:
        """The cells that a box touches."""
        for row, start, columns in self._parts(box, self._row(box.south), self._row(box.north)):
            total = int(self._columns[row])
            for column in range(start, start + columns):
                yield self._level + (row << _ROW) + column % total

    def touched(self, boxes: Boxes) -> tuple[Ids, Ids]:
        """The cells that many boxes touch: the number of a box, and the cell, pair by pair."""
        of: list[Ids] = [_NONE]
        cells: list[Ids] = [_NONE]
        for there, row, start, count in self._all_parts(boxes):
            ends = np.cumsum(count)
            along = np.arange(int(ends[-1]) if len(ends) else 0) - np.repeat(ends - count, count)
            column = (np.repeat(start, count) + along) % np.repeat(self._columns[row], count)
            of.append(np.repeat(there, count))
            cells.append(column + np.repeat(self._level + (row << _ROW), count))
        return np.concatenate(of), np.concatenate(cells)

    def at_most(self, boxes: Boxes, most: int) -> npt.NDArray[np.bool_]:
        """Which of many boxes touch no more than so many cells."""
        few: npt.NDArray[np.bool_] = self._rows(boxes.north) - self._rows(boxes.south) < most
        some = np.nonzero(few)[0]
        counts = np.zeros(len(some), np.int64)
        for there, _, _, count in self._all_parts(boxes.of(some)):
            counts[there] += count
        few[some] = counts <= most
        return few

    def _all_parts(self, boxes: Boxes) -> Iterator[tuple[Ids, Ids, Ids, Ids]]:
        """As `_parts`, of many boxes: the first ring of each, then the second one of those that have it."""
        first, last = self._rows(boxes.south), self._rows(boxes.north)
        for step in range(int((last - first).max()) + 1 if len(first) else 0):
            there = np.nonzero(first + step <= last)[0]
            row = first[there] + step
            total, west, width = self._columns[row], boxes.west[there], boxes.width[there]
            start = np.floor((west - _EDGE + 180) / 360 * total).astype(np.int64)
            end = np.floor((west + width + _EDGE + 180) / 360 * total).astype(np.int64)
            yield there, row, start, np.minimum(end - start + 1, total)

    def _rows(self, lat: Floats) -> Ids:
        return np.clip(np.floor((lat + 90) / self.height).astype(np.int64), 0, self.rows - 1)

    def _row(self, lat: float) -> int:
        return min(max(math.floor((lat + 90) / self.height), 0), self.rows - 1)

    def _parts(self, box: Box, first: int, last: int) -> Iterator[tuple[int, int, int]]:
        """Of each ring its number, its first column, and how many."""
        for row in range(first, last + 1):
            total = int(self._columns[row])
            start = math.floor((box.west - _EDGE + 180) / 360 * total)
            end = math.floor((box.west + box.width + _EDGE + 180) / 360 * total)
            yield row, start, min(end - start + 1, total)


def box_around(lat: float, lon: float, radius_m: float) -> Box:
    """The box that a circle lies in; all around, where it holds a pole."""
    reach = math.degrees(radius_m / EARTH_M) + _EDGE
    south, north = lat - reach, lat + reach
    if north >= 90 or south <= -90:
        return Box(max(south, -90.0), min(north, 90.0), -180.0, 360.0)
    side = math.degrees(math.asin(min(1.0, math.sin(math.radians(reach)) / math.cos(math.radians(lat)))))
    return Box(south, north, lon - side, 2 * side)


def boxes_around(lat: Floats, lon: Floats, radius_m: Floats) -> Boxes:
    """The same of many circles."""
    reach = np.degrees(radius_m / EARTH_M) + _EDGE
    south, north = lat - reach, lat + reach
    pole = (north >= 90) | (south <= -90)
    sine = np.sin(np.radians(reach)) / np.where(pole, 1.0, np.cos(np.radians(lat)))
    side = np.degrees(np.arcsin(np.minimum(1.0, sine)))
    return Boxes(
        np.where(pole, np.maximum(south, -90.0), south),
        np.where(pole, np.minimum(north, 90.0), north),
        np.where(pole, -180.0, lon - side),
        np.where(pole, 360.0, 2 * side),
    )
