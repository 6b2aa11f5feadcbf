"""Those whom anybody may see, by the cell in which they are: who is not their friend is shown its middle."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from consumers.nearby.neighbours import Person
from control.geo.cells import Grid, box_around
from control.geo.distances import FARTHEST_M, metres

#: How far it is looked at first, and how much farther then: as many cells as people are not looked at.
_FIRST_M: Final = 2000.0
_FARTHER: Final = 4
_MOST_CELLS: Final = 2000


class Crowd:
    """The public people of whom this edge knows where they are."""

    def __init__(self, cell_m: float) -> None:
        self._grid = Grid(cell_m)
        self._cells: dict[int, dict[Person, None]] = {}
        self._cell_of: dict[Person, int] = {}

    def __len__(self) -> int:
        return len(self._cell_of)

    def settle(self, person: Person) -> None:
        """Where a person is now, if anybody may see that."""
        position, sharing = person.position, person.sharing
        public = sharing is not None and sharing.seen_by_all
        if position is None or not public or sharing is None or not sharing.shows(position.came_ms):
            self.drop(person)
            return
        cell = self._grid.of_one(position.lat, position.lon)
        if self._cell_of.get(person) != cell:
            self.drop(person)
            self._cell_of[person] = cell
            self._cells.setdefault(cell, {})[person] = None

    def drop(self, person: Person) -> None:
        """They are not to be seen by all."""
        cell = self._cell_of.pop(person, None)
        if cell is None:
            return
        people = self._cells[cell]
        del people[person]
        if not people:
            del self._cells[cell]

    def expire(self, before_ms: int) -> None:
        """Who has said nothing since then is shown no more."""
        for person in [one for one in self._cell_of if one.position and one.position.came_ms <= before_ms]:
            self.drop(person)

    def middle(self, person: Person) -> tuple[float, float]:
        """Where strangers are shown them: in the middle of their cell."""
        return self._grid.middle(self._cell_of[person])

    def nearest(self, lat: float, lon: float, within_m: float = FARTHEST_M) -> Iterator[tuple[float, Person]]:
        """They, nearest cell first, with its distance; no more is looked at than is asked for. Only those
        whose cell's middle is so near: where in it they are nobody is to find out."""
        radius, done = min(_FIRST_M, within_m), -1.0
        while done < within_m:
            box = box_around(lat, lon, radius)
            whole = radius >= FARTHEST_M or self._grid.count(box) > min(
                _MOST_CELLS, 4 * len(self._cells) + 64
            )
            cells = list(self._cells) if whole else [c for c in self._grid.touching(box) if c in self._cells]
            if cells:
                middles = np.array([self._grid.middle(cell) for cell in cells])
                distances = metres(lat, lon, middles[:, 0], middles[:, 1])
                upto = within_m if whole else radius
                for at in np.argsort(distances, kind="stable").tolist():
                    if done < distances[at] <= upto:
                        for person in list(self._cells.get(cells[at], ())):
                            yield float(distances[at]), person
            if whole:
                return
            done, radius = radius, min(radius * _FARTHER, within_m)
