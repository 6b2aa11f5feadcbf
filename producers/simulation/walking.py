"""People who walk about a city, from a seed: along streets of a grid, with errands, pauses and friends. Pure.

It says who is where when, in seconds from the start; whoever plays it does the waiting.
"""

import math
from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from random import Random
from typing import Final

from producers.posts import Location
from producers.simulation.match import STADIUM, Beat

#: A block of houses, and how many of them the city is wide.
_BLOCK_M: Final = 120.0
_BLOCKS: Final = 40
_DEGREE_M: Final = 111_195.0
_PAUSE_S: Final = (0.0, 90.0)


class Walker:
    """Somebody on the way from corner to corner."""

    def __init__(self, number: int, random: Random) -> None:
        self.name, self._random = f"walker{number}", random
        self._speed = random.uniform(0.9, 1.9)
        self._x, self._y = float(random.randrange(_BLOCKS)), float(random.randrange(_BLOCKS))
        self._goal = self._errand()
        self._until = 0.0
        self._heading = 0.0

    def _errand(self) -> tuple[float, float]:
        near = self._random.random() < 0.7
        reach = 5 if near else _BLOCKS
        step = (self._random.randint(-reach, reach), self._random.randint(-reach, reach))
        x, y = round(self._x) + step[0], round(self._y) + step[1]
        return float(min(max(x, 0), _BLOCKS)), float(min(max(y, 0), _BLOCKS))

    def walk(self, now_s: float, seconds: float) -> None:
        """Some time has passed: along one street, then the other one; a rest at the end."""
        if now_s < self._until:
            return
        left = self._speed * seconds / _BLOCK_M
        for axis in (0, 1):
            here = (self._x, self._y)[axis]
            way = self._goal[axis] - here
            step = math.copysign(min(abs(way), left), way)
            left -= abs(step)
            if step and axis == 0:
                self._x, self._heading = here + step, 90.0 if step > 0 else 270.0
            elif step:
                self._y, self._heading = here + step, 0.0 if step > 0 else 180.0
        if (self._x, self._y) == self._goal:
            self._until = now_s + self._random.uniform(*_PAUSE_S)
            self._goal = self._errand()

    def position(self) -> Location:
        """Where they are, as satellites have it."""
        random, (lat, lon) = self._random, STADIUM
        north = (self._y - _BLOCKS / 2) * _BLOCK_M + random.gauss(0, 3)
        east = (self._x - _BLOCKS / 2) * _BLOCK_M + random.gauss(0, 3)
        return Location(
            f"user-{self.name}",
            round(lat + north / _DEGREE_M, 6),
            round(lon + east / (_DEGREE_M * math.cos(math.radians(lat))), 6),
            accuracy=8.0,
            heading=self._heading,
            speed=round(self._speed, 1),
            sender=self.name,
        )


def walks(number: int, *, every_s: float, seed: int) -> Iterator[Beat]:
    """Where so many people are, each about every so many seconds; without end."""
    random = Random(seed)  # noqa: S311 - a play, not a secret
    walkers = [Walker(n, Random(f"{seed}-{n}")) for n in range(number)]  # noqa: S311
    due = [(random.uniform(0, every_s), n, 0.0) for n in range(number)]
    heapify(due)
    while due:
        at, n, before = heappop(due)
        walkers[n].walk(at, at - before)
        yield Beat(at, walkers[n].position())
        heappush(due, (at + every_s * random.uniform(0.8, 1.2), n, at))


def friendships(number: int, each: int, seed: int) -> list[tuple[str, str]]:
    """Who is whose friend: about so many each."""
    random = Random(seed)  # noqa: S311
    found: set[tuple[int, int]] = set()
    for one in range(number):
        for _ in range(min(each, number - 1) // 2 + 1):
            other = random.randrange(number)
            if other != one:
                found.add((min(one, other), max(one, other)))
    return [(f"walker{one}", f"walker{other}") for one, other in sorted(found)]
