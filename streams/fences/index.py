"""Fences by the cells that they touch: whichever are near a place is found without looking at the others.

Each fence lies in cells of the size at which it touches few. All of them are one sorted array of cells and
one of fences, some 200 bytes a fence; what has changed since that was made is in a dict beside it. A cell
that names a fence which is not there any more costs a look, and tells nothing wrong.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from control.nearby.fences import Fence
from control.places.cells import Grid
from control.places.columns import Columns
from control.places.distances import Floats
from streams.fences.shapes import Polygon, beyond_circles, box_of

Slots = npt.NDArray[np.int64]

#: The smallest cells, and how much larger each further size is.
_SMALLEST_M: Final = 250.0
_LARGER: Final = 4
_SIZES: Final = 8
_MOST_CELLS: Final = 12
#: So many changes are looked up in a dict, or an eighth of what there is, before the arrays are made anew.
_CHANGED: Final = 2000


class Near(NamedTuple):
    """Places and fences that are near one another, pair by pair, by the order of places."""

    place: Slots
    slot: Slots
    #: How far beyond the fence's border the place is, in metres.
    beyond: Floats


class FenceIndex:
    """All fences that a worker knows."""

    def __init__(self, beyond_m: float) -> None:
        """A place that lies farther than this beyond a fence's border is not near it."""
        self._beyond_m = beyond_m
        self._grids = [Grid(_SMALLEST_M * _LARGER**n, n) for n in range(_SIZES)]
        self._columns = Columns(lat=np.float64, lon=np.float64, radius=np.float64, there=np.bool_)
        self._polygons: dict[int, Polygon] = {}
        self._slot_of: dict[str, int] = {}
        self._id_of: dict[int, str] = {}
        #: Of each size how many fences have it.
        self._sizes = [0] * _SIZES
        self._size_of: dict[int, int] = {}
        self._cells: Slots = np.zeros(0, np.int64)
        self._slots: npt.NDArray[np.int32] = np.zeros(0, np.int32)
        self._changed: dict[int, list[int]] = {}
        self._changes = 0

    def __len__(self) -> int:
        return len(self._slot_of)

    def __contains__(self, fence: str) -> bool:
        return fence in self._slot_of

    def load(self, fences: Iterable[Fence]) -> None:
        """Take many at once."""
        for fence in fences:
            self.put(fence, gather=False)
        self._gather()

    def put(self, fence: Fence, *, gather: bool = True) -> None:
        """A fence is so now."""
        self.remove(fence.id)
        polygon = Polygon(fence.corners) if fence.polygon else None
        box = box_of(fence, polygon, self._beyond_m)
        size = next((n for n in range(_SIZES) if self._grids[n].count(box) <= _MOST_CELLS), _SIZES - 1)
        slot = self._columns.take()
        of = self._columns.of
        of["lat"][slot], of["lon"][slot], of["radius"][slot] = fence.lat, fence.lon, fence.radius_m
        of["there"][slot] = True
        if polygon is not None:
            self._polygons[slot] = polygon
        self._slot_of[fence.id], self._id_of[slot] = slot, fence.id
        self._sizes[size] += 1
        self._size_of[slot] = size
        for cell in self._grids[size].touching(box):
            self._changed.setdefault(cell, []).append(slot)
            self._changes += 1
        if gather and self._changes > max(_CHANGED, len(self._cells) // 8):
            self._gather()

    def remove(self, fence: str) -> None:
        """A fence is there no more."""
        slot = self._slot_of.pop(fence, None)
        if slot is None:
            return
        del self._id_of[slot]
        self._polygons.pop(slot, None)
        self._sizes[self._size_of.pop(slot)] -= 1
        self._columns.give_back(slot)

    def id_of(self, slot: int) -> str:
        """The fence's id."""
        return self._id_of[slot]

    def near(self, lat: Floats, lon: Floats) -> Near:
        """What each of these places is in, or not far from."""
        places: list[Slots] = []
        slots: list[Slots] = []
        for size, number in enumerate(self._sizes):
            if number:
                self._look(self._grids[size].of(lat, lon), places, slots)
        if not places:
            none = np.zeros(0, np.int64)
            return Near(none, none, np.zeros(0))
        pairs = np.unique(np.concatenate(places) << 32 | np.concatenate(slots))
        place, slot = pairs >> 32, pairs & 0xFFFFFFFF
        of = self._columns.of
        there = of["there"][slot]
        place, slot = place[there], slot[there]
        beyond = beyond_circles(lat[place], lon[place], of["lat"][slot], of["lon"][slot], of["radius"][slot])
        for at in np.nonzero(of["radius"][slot] == 0)[0].tolist():
            polygon = self._polygons[int(slot[at])]
            beyond[at] = polygon.beyond(float(lat[place[at]]), float(lon[place[at]]))
        near = beyond <= self._beyond_m
        return Near(place[near], slot[near], beyond[near])

    def _look(self, cells: Slots, places: list[Slots], slots: list[Slots]) -> None:
        first = np.searchsorted(self._cells, cells, "left")
        counts = np.searchsorted(self._cells, cells, "right") - first
        total = int(counts.sum())
        if total:
            # Of each place its run of fences, one after the other.
            starts = np.repeat(first - np.concatenate(([0], np.cumsum(counts)[:-1])), counts)
            places.append(np.repeat(np.arange(len(cells)), counts))
            slots.append(self._slots[starts + np.arange(total)].astype(np.int64))
        if self._changed:
            changed = self._changed
            found = [(at, slot) for at, cell in enumerate(cells.tolist()) for slot in changed.get(cell, ())]
            if found:
                pairs = np.array(found, np.int64)
                places.append(pairs[:, 0])
                slots.append(pairs[:, 1])

    def _gather(self) -> None:
        """The arrays anew, with what has changed, and without what nobody has any more."""
        kept = self._columns.of["there"][self._slots] if len(self._slots) else np.zeros(0, np.bool_)
        cells = [self._cells[kept]]
        slots = [self._slots[kept]]
        cells.append(np.array([c for c, of in self._changed.items() for _ in of], np.int64))
        slots.append(np.array([slot for of in self._changed.values() for slot in of], np.int32))
        all_cells, all_slots = np.concatenate(cells), np.concatenate(slots)
        order = np.argsort(all_cells, kind="stable")
        self._cells, self._slots = all_cells[order], all_slots[order].astype(np.int32)
        self._changed, self._changes = {}, 0
