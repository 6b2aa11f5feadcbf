"""What must hold of what viewers were shown and fences told: pure functions, to what is wrong, in sentences.

Each has a test that shows it can fail (tests/chaos/test_walkers.py). `late_ms` is what all of it may be late
by while things break: an edge that is frozen, or cut off from Kafka, knows what it knew.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, Literal, NamedTuple

from chaos.parts.walkers.oracle import (
    Change,
    Circle,
    World,
    crossings,
    forgotten_ms,
    is_on,
    metres,
    near_at,
    pair,
    spot_at,
    stretches,
)

_MOST: Final = 5
#: Clocks of one machine, read in different processes, and what is told in one go.
_SLACK_MS: Final = 1000
#: Distances are told to a decimetre; viewers compute none.
_OFF_M: Final = 0.5
#: A border is the oracle's own within so much.
_BORDER_M: Final = 2.0


class Told(NamedTuple):
    """What a viewer heard: of a friend; or that the connection began, or was lost."""

    at_ms: int
    op: Literal["near", "away", "begin", "lost"]
    user: str = ""
    lat: float = 0.0
    lon: float = 0.0
    distance_m: float = 0.0
    said: str = ""
    reason: str = ""


class Onlooking(NamedTuple):
    """One viewer, from where they asked at first, and all that they heard."""

    viewer: str
    asked: tuple[float, float]
    told: Sequence[Told]


class FenceEvent(NamedTuple):
    """What the stream of a fence says."""

    fence: str
    type: str
    user: str
    lat: float | None
    lon: float | None
    said: str
    reason: str = ""


class Judged(NamedTuple):
    """What is wrong, and how much was looked at: a run in which nothing happened proves nothing."""

    wrong: list[str]
    looked: int


class _Session(NamedTuple):
    begin_ms: int
    end_ms: int
    told: Sequence[Told]


def shown_as_the_oracle_says(
    onlookings: Iterable[Onlooking], world: World, late_ms: int, until_ms: int
) -> Judged:
    """At each moment since which nothing has changed for `late_ms`, and the connection stood, a viewer knows
    of each friend what the oracle knows: near or not."""
    wrong: list[str] = []
    looked = 0
    for viewer, _, told in onlookings:
        sessions = list(_sessions(told, until_ms))
        for friend in sorted(_friends_of(viewer, world) | {one.user for one in told if one.user}):
            for begin, end, near in stretches(world, viewer, friend, until_ms):
                if near is None:
                    continue
                for session in sessions:
                    since = max(begin, session.begin_ms) + late_ms
                    until = min(end, session.end_ms)
                    if since >= until:
                        continue
                    looked += near
                    if (at := _otherwise(session, friend, near, since, until)) is not None:
                        what = "is not shown" if near else "is shown"
                        wrong.append(
                            f"{viewer}: {friend} {what} at {at}, though the oracle says otherwise from"
                            f" {begin} to {end} and the connection stood from {session.begin_ms} on"
                        )
    return Judged(wrong[:_MOST], looked)


def each_push_is_explained(onlookings: Iterable[Onlooking], world: World, late_ms: int) -> Judged:
    """Whatever a viewer was told is so, or was a moment ago: of a friend who agreed, with a position that was
    accepted and the distance to where the viewer was."""
    wrong: list[str] = []
    looked = 0
    for viewer, asked, told in onlookings:
        for one in told:
            if one.op not in ("near", "away"):
                continue
            looked += 1
            why = _unexplained(viewer, asked, one, world, late_ms)
            if why is not None:
                wrong.append(f"{viewer} was told of {one.user} at {one.at_ms} ({one.op}): {why}")
    return Judged(wrong[:_MOST], looked)


def right_at_rest(onlookings: Iterable[Onlooking], world: World, now_ms: int) -> list[str]:
    """Once all is quiet each viewer sees who is near, and each with their very latest position."""
    wrong: list[str] = []
    for viewer, _, told in onlookings:
        sessions = list(_sessions(told, now_ms))
        if not sessions or sessions[-1].end_ms < now_ms:
            wrong.append(f"{viewer} is not connected")
            continue
        latest = {one.user: one for one in sessions[-1].told}
        for friend in sorted(_friends_of(viewer, world) | latest.keys()):
            near, shown = near_at(world, viewer, friend, now_ms), latest.get(friend)
            shows = shown is not None and shown.op == "near"
            if near is not None and shows != near:
                wrong.append(
                    f"{viewer}: {friend} is {'near' if near else 'not near'}, and is shown otherwise"
                )
            elif shows and shown is not None:
                spot = spot_at(world, friend, now_ms)
                if spot is not None and spot.said != shown.said:
                    wrong.append(
                        f"{viewer}: {friend} is shown as of {shown.said}, and was last of {spot.said}"
                    )
    return wrong[:_MOST]


def fences_tell_what_the_oracle_tells(
    events: Sequence[FenceEvent],
    fences: Mapping[str, Circle],
    world: World,
    *,
    steady: Iterable[str],
    beyond_m: float,
) -> Judged:
    """Of its maker and of friends whose consent never changed (`steady`) a fence tells each crossing once, in
    order, and nothing else; of all others nothing that is not so, and of strangers nothing."""
    wrong: list[str] = []
    looked = 0
    constant = set(steady)
    for id_, circle in fences.items():
        of_user: dict[str, list[FenceEvent]] = {}
        for event in events:
            if event.fence == id_:
                of_user.setdefault(event.user, []).append(event)
        for user, heard in of_user.items():
            if user not in _watched(circle, world):
                wrong.append(f"fence {id_} told of {user}, who is no friend of {circle.maker}")
            wrong += (f"fence {id_} told {why}" for why in _made_up(circle, user, heard, world, beyond_m))
        for user in sorted(constant & _watched(circle, world)):
            wanted = crossings(circle, world.positions.get(user, ()), beyond_m)
            if wanted is None:
                continue
            told = [(e.type, e.lat, e.lon, e.said) for e in of_user.get(user, ())]
            looked += len(wanted)
            if told != [tuple(crossing) for crossing in wanted]:
                first = next(
                    (n for n, (a, b) in enumerate(zip(told, wanted, strict=False)) if a != b),
                    min(len(told), len(wanted)),
                )
                wrong.append(
                    f"fence {id_} told {len(told)} crossings of {user} where there were {len(wanted)};"
                    f" they differ from number {first} on"
                )
    return Judged(wrong[:_MOST], looked)


# ── inside ───────────────────────────────────────────────────────────────────────────────────────────────


def _friends_of(user: str, world: World) -> set[str]:
    return {b if a == user else a for a, b in world.friends if user in (a, b)}


def _watched(circle: Circle, world: World) -> set[str]:
    return {circle.maker} | _friends_of(circle.maker, world)


def _sessions(told: Sequence[Told], until_ms: int) -> Iterator[_Session]:
    begin: int | None = None
    heard: list[Told] = []
    for one in told:
        if one.op in ("begin", "lost"):
            if begin is not None:
                yield _Session(begin, one.at_ms, heard)
            begin, heard = (one.at_ms if one.op == "begin" else None), []
        else:
            heard.append(one)
    if begin is not None:
        yield _Session(begin, until_ms, heard)


def _otherwise(session: _Session, friend: str, near: bool, since: int, until: int) -> int | None:
    """When in this time the viewer believed something else; None: never."""
    believed = False
    for one in session.told:
        if one.at_ms >= until:
            break
        if one.user != friend:
            continue
        if one.at_ms >= since and believed != near:
            return since
        believed = one.op == "near"
        if one.at_ms >= since and believed != near:
            return one.at_ms
    return since if believed != near else None


def _unexplained(
    viewer: str, asked: tuple[float, float], one: Told, world: World, late_ms: int
) -> str | None:
    since, until = one.at_ms - late_ms, one.at_ms + _SLACK_MS
    friendship = world.friends.get(pair(viewer, one.user), ())
    consent = world.consent.get(one.user, ())
    if one.op == "near":
        spots = world.positions.get(one.user, ())
        spot = next(
            (s for s in spots if s[1:] == (one.lat, one.lon, one.said) and s.at_ms <= until),
            None,
        )
        if spot is None:
            return "no such position was accepted"
        if not _was_on(friendship, since, until):
            return "they were no friends"
        if not _was_on(consent, since, until) or spot.at_ms <= forgotten_ms(world, one.user, since):
            return "they had not agreed to it"
        if one.distance_m > world.radius_m + _BORDER_M:
            return f"{one.distance_m} m are farther than {world.radius_m}"
        here = [asked, *_places_in(world, viewer, since, until)]
        if all(abs(metres(place, (one.lat, one.lon)) - one.distance_m) > _OFF_M for place in here):
            return f"the viewer was nowhere {one.distance_m} m away from there"
        return None
    turned_off = {"unfriended": friendship, "stopped": consent}.get(one.reason)
    if turned_off is not None:
        off = any(not change.on and since <= change.at_ms <= until for change in turned_off)
        return None if off else "nobody has said so"
    if one.reason == "inactive":
        spot = spot_at(world, one.user, since)
        silent = spot is None or until - spot.at_ms >= world.inactive_ms
        return None if silent else "they have said something"
    here = [asked, *_places_in(world, viewer, since, until)]
    there = _places_in(world, one.user, since, until)
    far = any(metres(a, b) > world.radius_m - _BORDER_M for a in here for b in there)
    return None if far else "they were within the radius all the time"


def _was_on(changes: Sequence[Change], since: int, until: int) -> bool:
    """Whether it was so at some moment of this time."""
    return is_on(changes, since) or any(c.on and since <= c.at_ms <= until for c in changes)


def _places_in(world: World, user: str, since: int, until: int) -> list[tuple[float, float]]:
    """Where somebody was in this time, and as it began."""
    before = spot_at(world, user, since)
    found = [spot for spot in world.positions.get(user, ()) if since < spot.at_ms <= until]
    return [(s.lat, s.lon) for s in (found if before is None else [before, *found])]


def _made_up(
    circle: Circle, user: str, heard: Sequence[FenceEvent], world: World, beyond_m: float
) -> Iterator[str]:
    """What a fence told that is not so."""
    inside = False
    for event in heard:
        if (event.type == "enter") == inside:
            yield f"{event.type} of {user} twice"
        inside = event.type == "enter"
        if event.lat is None or event.lon is None:
            if inside or event.reason != "stopped":
                yield f"{event.type} of {user} without a place"
            continue
        spots = world.positions.get(user, ())
        if not any(s[1:] == (event.lat, event.lon, event.said) for s in spots):
            yield f"a place of {user} that was never accepted"
        beyond = metres((event.lat, event.lon), (circle.lat, circle.lon)) - circle.radius_m
        if not (beyond <= _BORDER_M if inside else beyond > beyond_m - _BORDER_M):
            yield f"{event.type} of {user}, {beyond:.0f} m beyond its border"
