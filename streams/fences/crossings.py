"""Who came into a fence and who left it: a function of where they were, where they are, and of consent.

Somebody has come when they are within the border, and left when they are farther beyond it than the
hysteresis: whoever walks along a border is not told of at each step.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, Literal, NamedTuple

import msgspec
import numpy as np

from control.nearby.consent import Consent
from control.nearby.fences import Fence, fence_channel
from control.nearby.inside import Inside
from control.places.cells import Grid
from streams.fences.index import FenceIndex
from streams.fold.checks.moves import Moved

#: Fences that one user is told to be in: their record has so much room.
MOST_AT_ONCE: Final = 400


class Crossing(NamedTuple):
    """What a fence tells."""

    channel: str
    type: Literal["enter", "exit"]
    key: str
    data: dict[str, Any]

    def value(self) -> bytes:
        """The record on the ingest topic of broadcasts."""
        return msgspec.json.encode(
            {"type": self.type, "key": self.key, "sender": "touchline", "data": self.data}
        )


class Change(NamedTuple):
    """Somebody is in other fences than before."""

    moved: Moved
    inside: Inside


InsideOf = Callable[[str], Inside | None]


def crossings(
    index: FenceIndex, consent: Consent, moves: Sequence[Moved], inside_of: InsideOf, cells: Grid
) -> Iterator[tuple[Crossing | None, Change | None]]:
    """What these moves, in their order, set off; `inside_of` is asked after each change was taken. `cells`:
    those in whose middle strangers are shown who is public."""
    lat, lon = np.array([move.lat for move in moves]), np.array([move.lon for move in moves])

    def sees(number: int, maker: str | None) -> bool:
        return consent.sees(maker, moves[number].user, moves[number].append_ms)

    near = index.near(lat, lon, sees)
    of_move: dict[int, dict[str, float]] = {}
    for place, slot, beyond in zip(
        near.place.tolist(), near.slot.tolist(), near.beyond.tolist(), strict=True
    ):
        of_move.setdefault(place, {})[index.id_of(slot)] = beyond
    for number, move in enumerate(moves):
        before = inside_of(move.name)
        candidates = of_move.get(number)
        if before is None and candidates is None:
            continue
        yield from _of_one(consent, move, before, candidates or {}, cells)


def _of_one(
    consent: Consent, move: Moved, before: Inside | None, near: dict[str, float], cells: Grid
) -> Iterator[tuple[Crossing | None, Change | None]]:
    was = () if before is None else before.fences
    left: list[str] = []
    for id_ in was:
        fence = consent.fence(id_)
        if fence is None:
            left.append(id_)  # it is no more, and tells nobody anything
        elif not watches(consent, fence, move.user, move.append_ms):
            left.append(id_)
            yield told(fence, move, "exit", hidden=True), None
        elif id_ not in near:
            left.append(id_)
            yield told(fence, shown(consent, fence, move, cells), "exit"), None
    came: list[str] = []
    for id_, beyond in near.items():
        if beyond > 0 or id_ in was or len(was) - len(left) + len(came) >= MOST_AT_ONCE:
            continue
        fence = consent.fence(id_)
        if fence is not None and watches(consent, fence, move.user, move.append_ms):
            came.append(id_)
            yield told(fence, shown(consent, fence, move, cells), "enter"), None
    if left or came:
        now = tuple(id_ for id_ in was if id_ not in left) + tuple(came)
        yield None, Change(move, Inside(user=move.user, fences=now, seq=move.seq))


def watches(consent: Consent, fence: Fence, user: str, at_ms: int) -> bool:
    """Whether a fence may tell of this user's position of this time: what its maker may see."""
    return (not fence.users or user in fence.users) and consent.sees(fence.maker, user, at_ms)


def shown(consent: Consent, fence: Fence, move: Moved, cells: Grid) -> Moved:
    """The position as the fence's maker may see it: a stranger sees the middle of its cell."""
    if consent.sees_exactly(fence.maker, move.user):
        return move
    lat, lon = cells.middle(cells.of_one(move.lat, move.lon))
    return move._replace(lat=round(lat, 6), lon=round(lon, 6))


def told(fence: Fence, move: Moved, what: Literal["enter", "exit"], *, hidden: bool = False) -> Crossing:
    """What the fence tells; `hidden`: its maker may not see where the user is any more."""
    data: dict[str, Any] = {"user": move.user, "lat": move.lat, "lon": move.lon, "at": move.at}
    if hidden:
        data = {"user": move.user, "at": move.at, "reason": "stopped"}
    return Crossing(fence_channel(fence.id), what, f"{move.id}-{what}", data)
