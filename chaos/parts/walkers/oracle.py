"""What everybody ought to be shown, and every fence to tell, by the log alone: by looking at each pair. Pure.

It shares no code with what it judges: distances are those of vectors, and nothing is kept from one moment to
the next.
"""

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import pairwise
from operator import attrgetter
from typing import Final, Literal, NamedTuple

_EARTH_M: Final = 6_371_008.8


class Spot(NamedTuple):
    """A position that was accepted: when it was appended, and when it was so as those are told who see it."""

    at_ms: int
    lat: float
    lon: float
    said: str


class Change(NamedTuple):
    """From this command on it is so, or not."""

    at_ms: int
    on: bool


class Circle(NamedTuple):
    """A fence of its maker's."""

    maker: str
    lat: float
    lon: float
    radius_m: float


class World(NamedTuple):
    """What the log says of walkers."""

    positions: Mapping[str, Sequence[Spot]]
    #: By the two names, in their order.
    friends: Mapping[tuple[str, str], Sequence[Change]]
    consent: Mapping[str, Sequence[Change]]
    radius_m: float
    inactive_ms: int


class Stretch(NamedTuple):
    """A time in which a friend is near, or is not, or (None) so close to the border that both are right."""

    begin_ms: int
    end_ms: int
    near: bool | None


class Crossing(NamedTuple):
    """What a fence has to tell of somebody."""

    type: Literal["enter", "exit"]
    lat: float
    lon: float
    said: str


#: Within so much of a border both sides are right: of rounding, and of the last digit that is told.
_BAND_M: Final = 2.0
_at: Final = attrgetter("at_ms")


def metres(one: Sequence[float], other: Sequence[float]) -> float:
    """Between two places (lat, lon), along the sphere."""
    ax, ay, az = _vector(*one)
    bx, by, bz = _vector(*other)
    cross = math.hypot(ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx)
    return _EARTH_M * math.atan2(cross, ax * bx + ay * by + az * bz)


def _vector(lat: float, lon: float) -> tuple[float, float, float]:
    phi, lam = math.radians(lat), math.radians(lon)
    return math.cos(phi) * math.cos(lam), math.cos(phi) * math.sin(lam), math.sin(phi)


def pair(one: str, other: str) -> tuple[str, str]:
    """The two in their order."""
    return (one, other) if one < other else (other, one)


def spot_at(world: World, user: str, at_ms: int) -> Spot | None:
    """Where somebody was at this moment."""
    spots = world.positions.get(user, ())
    number = bisect_right(spots, at_ms, key=_at)
    return spots[number - 1] if number else None


def is_on(changes: Sequence[Change], at_ms: int) -> bool:
    """Whether something was so at this moment."""
    number = bisect_right(changes, at_ms, key=_at)
    return bool(number) and changes[number - 1].on


def forgotten_ms(world: World, user: str, at_ms: int) -> int:
    """Positions up to this time are nobody's any more."""
    return max((c.at_ms for c in world.consent.get(user, ()) if not c.on and c.at_ms <= at_ms), default=-1)


def near_at(world: World, viewer: str, friend: str, at_ms: int) -> bool | None:
    """Whether a viewer ought to see a friend near at this moment."""
    here, there = spot_at(world, viewer, at_ms), spot_at(world, friend, at_ms)
    if here is None or there is None or at_ms - there.at_ms >= world.inactive_ms:
        return False
    if not is_on(world.friends.get(pair(viewer, friend), ()), at_ms):
        return False
    if not is_on(world.consent.get(friend, ()), at_ms):
        return False
    if there.at_ms <= forgotten_ms(world, friend, at_ms):
        return False
    way = metres((here.lat, here.lon), (there.lat, there.lon))
    return None if abs(way - world.radius_m) <= _BAND_M else way < world.radius_m


def stretches(world: World, viewer: str, friend: str, until_ms: int) -> list[Stretch]:
    """All of the time up to this moment, in pieces in which nothing changes."""
    moments = {0, until_ms}
    moments |= {spot.at_ms for user in (viewer, friend) for spot in world.positions.get(user, ())}
    moments |= {spot.at_ms + world.inactive_ms for spot in world.positions.get(friend, ())}
    moments |= {c.at_ms for c in world.friends.get(pair(viewer, friend), ())}
    moments |= {c.at_ms for c in world.consent.get(friend, ())}
    times = sorted(moment for moment in moments if moment <= until_ms)
    found: list[Stretch] = []
    for begin, end in pairwise(times):
        near = near_at(world, viewer, friend, begin)
        if found and found[-1].near == near:
            found[-1] = found[-1]._replace(end_ms=end)
        else:
            found.append(Stretch(begin, end, near))
    return found


def crossings(circle: Circle, spots: Sequence[Spot], beyond_m: float) -> list[Crossing] | None:
    """What a fence has to tell of somebody whom it may see all the time; None where they were so close to a
    border that both are right."""
    found: list[Crossing] = []
    inside = False
    for spot in spots:
        beyond = metres((spot.lat, spot.lon), (circle.lat, circle.lon)) - circle.radius_m
        if min(abs(beyond), abs(beyond - beyond_m)) <= _BAND_M / 2:
            return None
        if not inside and beyond <= 0:
            found.append(Crossing("enter", spot.lat, spot.lon, spot.said))
        elif inside and beyond > beyond_m:
            found.append(Crossing("exit", spot.lat, spot.lon, spot.said))
        else:
            continue
        inside = not inside
    return found
