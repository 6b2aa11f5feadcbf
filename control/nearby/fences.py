"""Fences: places that watch, a circle or a polygon each; and what commands make of them. Pure."""

import math
import re
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from control.commands.signed import opened
from control.entity.fold import Change, Input
from control.entity.types import PAIR, pair_key, prefix_of
from kernel.access.signing import Signer
from kernel.access.users import FENCE, check_user, name_in_channel
from kernel.errors import TouchlineError
from kernel.log.positions import Kind, Stream

SET_FENCE: Final = "set_fence"
REMOVE_FENCE: Final = "remove_fence"
MAX_CORNERS: Final = 500
MAX_NAMED: Final = 100
#: A circle's radius: what is larger than a continent watches nothing.
MIN_RADIUS_M: Final = 1.0
MAX_RADIUS_M: Final = 3_000_000.0
MAX_ID: Final = 100
ID: Final = re.compile(rf"[A-Za-z0-9._-]{{1,{MAX_ID}}}")
#: A polygon that is wider is drawn across the antimeridian, or around a pole.
_HALF: Final = 180.0


class Fence(msgspec.Struct, frozen=True, kw_only=True):
    """The value of a record in touchline.fences."""

    id: str
    #: Who made it; None: an operator.
    maker: str | None = None
    #: A circle: centre and radius. Of a polygon the radius is 0.
    lat: float = 0.0
    lon: float = 0.0
    radius_m: float = 0.0
    #: A polygon's corners, lat and lon in turn; along straight lines on the map, the shorter way round.
    polygon: tuple[float, ...] = ()
    #: Whom it watches; empty: all whom its maker may see.
    users: tuple[str, ...] = ()
    #: Who may read its stream, beside its maker.
    readers: tuple[str, ...] = ()
    at: int = 0
    revision: int = 0
    places: dict[str, int] = {}

    @property
    def corners(self) -> list[tuple[float, float]]:
        """The polygon's."""
        return list(zip(self.polygon[::2], self.polygon[1::2], strict=True))


class FenceRequest(msgspec.Struct, frozen=True):
    """A fence as somebody asks for it."""

    lat: float | None = None
    lon: float | None = None
    radius_m: float | None = None
    polygon: tuple[tuple[float, float], ...] = ()
    users: tuple[str, ...] = ()
    readers: tuple[str, ...] = ()


class _Command(msgspec.Struct, frozen=True):
    """What the commands say: the fence, who says it (None: an operator), and whether they administer it."""

    fence: Fence
    by: str | None = None
    admin: bool = False


def listed_key(maker: str | None, id_: str) -> bytes:
    """The key of the fence's second record, by which it is found among its maker's."""
    return pair_key("" if maker is None else name_in_channel(maker), id_)


def prefix_of_maker(maker: str | None) -> bytes:
    """What the keys of all fences of a maker begin with."""
    return prefix_of("" if maker is None else name_in_channel(maker))


def is_listing(key: bytes) -> bool:
    """Whether a record is the second one of its fence."""
    return PAIR in key


def fence_of_key(key: bytes) -> bytes:
    """The fence's id: both records have its partition, so that one owner writes them."""
    return key.rpartition(PAIR)[2]


def check_id(id_: str) -> str:
    """Raise `bad_request` where this cannot be a fence's id."""
    if not ID.fullmatch(id_):
        raise TouchlineError(
            "bad_request",
            f"A fence's id has 1 to {MAX_ID} characters: only A-Z a-z 0-9 . _ and - are allowed.",
        )
    return id_


def fence_channel(id_: str) -> str:
    """Its channel."""
    return FENCE + id_


def fence_stream(id_: str) -> str:
    """Where it tells who came and went."""
    return str(Stream(Kind.BROADCAST, fence_channel(id_)))


def read_fence(id_: str, wanted: FenceRequest, maker: str | None) -> Fence:
    """The fence that somebody asks for. Raises `bad_request`."""
    check_id(id_)
    circle = (wanted.lat, wanted.lon, wanted.radius_m)
    if bool(wanted.polygon) == any(part is not None for part in circle):
        raise TouchlineError("bad_request", "A fence is lat, lon and radius_m, or a polygon.")
    fence = Fence(
        id=id_,
        maker=maker,
        polygon=tuple(number for corner in wanted.polygon for number in corner),
        users=tuple(dict.fromkeys(wanted.users)),
        readers=tuple(dict.fromkeys(wanted.readers)),
    )
    if not wanted.polygon:
        if wanted.lat is None or wanted.lon is None or wanted.radius_m is None:
            raise TouchlineError("bad_request", "A circle has lat, lon and radius_m.")
        fence = replace(fence, lat=wanted.lat, lon=wanted.lon, radius_m=wanted.radius_m)
    return check_fence(fence)


def check_fence(fence: Fence) -> Fence:
    """Raise `bad_request` where it cannot be one."""
    check_id(fence.id)
    for named in (fence.users, fence.readers):
        if len(named) > MAX_NAMED:
            raise TouchlineError(
                "bad_request", f"A fence names at most {MAX_NAMED} users, and as many readers."
            )
        for user in named:
            check_user(user)
    if len(fence.polygon) % 2:
        raise TouchlineError("bad_request", "Each corner of a polygon has a latitude and a longitude.")
    for lat, lon in fence.corners or [(fence.lat, fence.lon)]:
        _check_place(lat, lon)
    if not fence.polygon:
        if not MIN_RADIUS_M <= fence.radius_m <= MAX_RADIUS_M:
            raise TouchlineError(
                "bad_request", f"radius_m lies between {MIN_RADIUS_M:g} and {MAX_RADIUS_M:,.0f} metres."
            )
        return fence
    corners = fence.corners
    if not len(set(corners)) >= 3 or len(corners) > MAX_CORNERS:
        raise TouchlineError("bad_request", f"A polygon has 3 to {MAX_CORNERS} corners: [[lat, lon], …].")
    turns = zip(corners, [*corners[1:], corners[0]], strict=True)
    if abs(sum(_step(a[1], b[1]) for a, b in turns)) > 1:
        raise TouchlineError("bad_request", "A polygon goes around no pole: take a circle, or cut it in two.")
    return fence


def _check_place(lat: float, lon: float) -> None:
    if not (-90 <= lat <= 90 and -_HALF <= lon <= _HALF and math.isfinite(lat + lon)):
        raise TouchlineError("bad_request", "lat lies between -90 and 90, lon between -180 and 180.")


def _step(one: float, other: float) -> float:
    """From one longitude to another, the shorter way."""
    return (other - one + _HALF) % (2 * _HALF) - _HALF


def fold_fences(
    signer: Signer,
) -> Callable[[Input, Callable[[bytes], Fence | None]], Sequence[Change[Fence]]]:
    """What `set_fence` and `remove_fence` do. Of those who make one under the same id the first has it."""

    def fold(given: Input, state: Callable[[bytes], Fence | None]) -> Sequence[Change[Fence]]:
        command, key = given.value["command"], given.key.decode("utf-8", "replace")
        try:
            said = msgspec.json.decode(opened(command, key, given.value["arguments"], signer), type=_Command)
        except (msgspec.MsgspecError, ValueError) as error:
            raise TouchlineError("bad_request", f"This is about no fence: {error}.") from None
        if said.fence.id != key:
            raise TouchlineError("bad_request", "The command is about another fence than it says.")
        before = state(given.key)
        if before is not None and before.maker != said.by and not said.admin:
            raise TouchlineError("exists", f"There is a fence {key} already, of somebody else.")
        maker = said.by if before is None else before.maker
        if command == REMOVE_FENCE:
            return [] if before is None else _both(given.key, maker, None)
        return _both(given.key, maker, replace(check_fence(said.fence), maker=maker, at=given.append_ms))

    return fold


def _both(key: bytes, maker: str | None, fence: Fence | None) -> Sequence[Change[Fence]]:
    # The one by which it is told whether this was done comes last.
    return [Change(listed_key(maker, key.decode()), fence), Change(key, fence)]


def said_of(fence: Fence, *, by: str | None, admin: bool) -> dict[str, Any]:
    """Arguments of the commands."""
    said: dict[str, Any] = msgspec.to_builtins(_Command(fence, by, admin))
    return said


def shown(fence: Fence) -> dict[str, Any]:
    """A fence as every way in shows it."""
    place: dict[str, Any] = {"polygon": [list(corner) for corner in fence.corners]}
    if not fence.polygon:
        place = {"lat": fence.lat, "lon": fence.lon, "radius_m": fence.radius_m}
    named = {"users": list(fence.users), "readers": list(fence.readers)}
    return {"id": fence.id, "stream": fence_stream(fence.id), "maker": fence.maker, **place} | {
        name: users for name, users in named.items() if users
    }
