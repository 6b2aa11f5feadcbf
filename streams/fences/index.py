"""Fences by the cells that they touch: whichever are near a place is found without looking at the others.

Each fence lies in cells of the size at which it touches few. All of them are one sorted array of cells and
one of fences, some 200 bytes a fence; what has changed since that was made is in a dict beside it. A cell
that names a fence which is not there any more costs a look, and tells nothing wrong.
"""

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from control.geo.cells import Grid, boxes_around
from control.geo.columns import Columns
from control.geo.distances import Floats
from control.nearby.fences import Fence
from streams.fences.shapes import Polygon, beyond_circles, box_of

Slots = npt.NDArray[np.int64]
#: Whether a fence's maker (None: an operator) may see who is at a place, by its number.
Sees = Callable[[int, str | None], bool]

#: The smallest cells, and how much larger each further size is.
_SMALLEST_M: Final = 250.0
_LARGER: Final = 4
_SIZES: Final = 8
_MOST_CELLS: Final = 12
#: So many changes are looked up in a dict, or an eighth of what there is, before the arrays are made anew.
_CHANGED: Final = 2000
#: Places are looked at in halves where more fences than this may lie about them: somebody set thousands.
_MOST_PAIRS: Final = 500_000
#: Circles whose cells are looked for in one go.
_AT_ONCE: Final = 20_000


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
        self._columns = Columns(
            **dict.fromkeys(("lat", "lon", "radius"), np.float64),
            **{"there": np.bool_, "size": np.int8, "moved": np.bool_, "maker": np.int32},
        )
        self._number_of: dict[str | None, int] = {}
        self._makers: list[str | None] = []
        self._polygons: dict[int, Polygon] = {}
        self._slot_of: dict[str, int] = {}
        self._ids: list[str] = []
        #: Of each size how many fences have it.
        self._sizes = [0] * _SIZES
        self._cells: Slots = np.zeros(0, np.int64)
        self._slots: npt.NDArray[np.int32] = np.zeros(0, np.int32)
        #: What the arrays do not have yet: by cell, and by slot.
        self._changed: dict[int, list[int]] = {}
        self._cells_of: dict[int, list[int]] = {}
        self._changes = 0
        #: At least as many fences as are in any cell.
        self._longest = 0

    def __len__(self) -> int:
        return len(self._slot_of)

    def __contains__(self, fence: str) -> bool:
        return fence in self._slot_of

    @property
    def cells(self) -> int:
        """How many cells of fences it holds, one that several fences touch as often."""
        return len(self._cells) + self._changes

    def load(self, fences: Iterable[Fence]) -> None:
        """Take many at once: to look for a million circles' cells one by one takes minutes."""
        cells: list[Slots] = []
        slots: list[Slots] = []
        iterator = iter(fences)
        while some := list({fence.id: fence for fence in islice(iterator, _AT_ONCE)}.values()):
            for fence in some:
                self.remove(fence.id)
            for fence in some:
                if fence.polygon:
                    self.put(fence, gather=False)
            self._load_circles([fence for fence in some if not fence.polygon], cells, slots)
        self._gather(cells, slots)

    def _load_circles(self, circles: list[Fence], cells: list[Slots], slots: list[Slots]) -> None:
        taken = np.array([self._take(fence) for fence in circles], np.int64)
        of = self._columns.of
        boxes = boxes_around(of["lat"][taken], of["lon"][taken], of["radius"][taken] + self._beyond_m)
        left = np.arange(len(circles))
        for size, grid in enumerate(self._grids):
            here = boxes.of(left)
            fits = grid.at_most(here, _MOST_CELLS) if size < _SIZES - 1 else np.ones(len(left), np.bool_)
            numbers, found = grid.touched(here.of(np.nonzero(fits)[0]))
            chosen = taken[left[fits]]
            cells.append(found)
            slots.append(chosen[numbers])
            of["size"][chosen] = size
            self._sizes[size] += len(chosen)
            left = left[~fits]

    def put(self, fence: Fence, *, gather: bool = True) -> None:
        """A fence is so now."""
        self.remove(fence.id)
        polygon = Polygon(fence.corners) if fence.polygon else None
        box = box_of(fence, polygon, self._beyond_m)
        size = next((n for n in range(_SIZES) if self._grids[n].count(box) <= _MOST_CELLS), _SIZES - 1)
        slot = self._take(fence)
        if polygon is not None:
            self._polygons[slot] = polygon
        self._columns.of["size"][slot] = size
        self._sizes[size] += 1
        cells = self._cells_of[slot] = list(self._grids[size].touching(box))
        for cell in cells:
            self._changed.setdefault(cell, []).append(slot)
        self._longest += 1
        self._changes += len(cells)
        if gather and self._changes > max(_CHANGED, len(self._cells) // 8):
            self._gather()

    def _take(self, fence: Fence) -> int:
        """A slot for a fence that has none."""
        slot = self._columns.take()
        of = self._columns.of
        of["lat"][slot], of["lon"][slot], of["radius"][slot] = fence.lat, fence.lon, fence.radius_m
        of["there"][slot] = True
        number = self._number_of.setdefault(fence.maker, len(self._makers))
        if number == len(self._makers):
            self._makers.append(fence.maker)
        of["maker"][slot] = number
        self._slot_of[fence.id] = slot
        if slot >= len(self._ids):
            self._ids += [""] * (slot + 1 - len(self._ids))
        self._ids[slot] = fence.id
        return slot

    def remove(self, fence: str) -> None:
        """A fence is there no more."""
        slot = self._slot_of.pop(fence, None)
        if slot is None:
            return
        self._polygons.pop(slot, None)
        self._sizes[int(self._columns.of["size"][slot])] -= 1
        recent = self._cells_of.pop(slot, None)
        for cell in recent or ():
            slots = self._changed[cell]
            slots.remove(slot)
            if not slots:
                del self._changed[cell]
        self._columns.give_back(slot)
        # Whoever has the slot next has other cells: those that the arrays know are nobody's.
        self._columns.of["moved"][slot] = True

    def id_of(self, slot: int) -> str:
        """The fence's id."""
        return self._ids[slot]

    def near(self, lat: Floats, lon: Floats, sees: Sees | None = None) -> Near:
        """What each of these places is in, or not far from.

        `sees` says whether a maker may see who is at a place: asked once for each maker, before anything is
        reckoned, so that fences cost little of those whom they may not see.
        """
        if len(lat) > 1 and len(lat) * _SIZES * self._longest > _MOST_PAIRS < self._crowd(lat, lon):
            half = len(lat) // 2
            one = self.near(lat[:half], lon[:half], sees)
            later = None if sees is None else lambda place, maker: sees(place + half, maker)
            two = self.near(lat[half:], lon[half:], later)
            return Near(
                np.concatenate((one.place, two.place + half)),
                *(np.concatenate(both) for both in zip(one[1:], two[1:], strict=True)),
            )
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
        if sees is not None and len(place):
            asked, which = np.unique(place << 32 | of["maker"][slot], return_inverse=True)
            seen = np.array([sees(one >> 32, self._makers[one & 0xFFFFFFFF]) for one in asked.tolist()])
            place, slot = place[seen[which]], slot[seen[which]]
        beyond = beyond_circles(lat[place], lon[place], of["lat"][slot], of["lon"][slot], of["radius"][slot])
        for at in np.nonzero(of["radius"][slot] == 0)[0].tolist():
            polygon = self._polygons[int(slot[at])]
            beyond[at] = polygon.beyond(float(lat[place[at]]), float(lon[place[at]]))
        near = beyond <= self._beyond_m
        return Near(place[near], slot[near], beyond[near])

    def _crowd(self, lat: Floats, lon: Floats) -> int:
        """About how many fences have to be looked at for these places."""
        total = 0
        for size, number in enumerate(self._sizes):
            if number:
                cells = self._grids[size].of(lat, lon)
                ends = (np.searchsorted(self._cells, cells, side) for side in ("right", "left"))
                total += int(np.subtract(*ends).sum())
                if self._changed:
                    total += sum(len(self._changed.get(cell, ())) for cell in cells.tolist())
        return total

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

    def _gather(self, more_cells: Iterable[Slots] = (), more_slots: Iterable[Slots] = ()) -> None:
        """The arrays anew, with what has changed, and without what nobody has any more."""
        kept = ~self._columns.of["moved"][self._slots]
        changed = [np.array([c for c, of in self._changed.items() for _ in of], np.int64)]
        slots = [np.array([slot for of in self._changed.values() for slot in of], np.int64)]
        cells = np.concatenate([self._cells[kept], *changed, *more_cells])
        order = np.argsort(cells, kind="stable")
        self._cells = cells[order]
        self._slots = np.concatenate([self._slots[kept], *slots, *more_slots])[order].astype(np.int32)
        self._columns.of["moved"][:] = False
        self._changed, self._cells_of, self._changes = {}, {}, 0
        ends = np.flatnonzero(np.diff(self._cells, append=-1))
        self._longest = int(np.diff(ends, prepend=-1).max()) if len(ends) else 0
