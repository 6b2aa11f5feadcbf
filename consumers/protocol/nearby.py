"""The messages about who is near: docs/nearby.md."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from consumers.protocol.shapes import ClientTime, Latitude, Longitude, Reply, Request

_Within = Annotated[str, Meta(max_length=24, description="a distance with its unit: 5mi, 800m")]
_Limit = Annotated[int, Meta(ge=1, le=500)]


class Nearby(Request, frozen=True, tag="nearby"):
    """Which friends are near: a page, nearest first; then those who come, move and go, until `off`."""

    lat: Latitude | None = None
    lon: Longitude | None = None
    within: _Within | None = None
    limit: _Limit = 20
    cursor: Annotated[str, Meta(max_length=100, description="of the page before")] | None = None
    off: bool = False


class Locate(Request, frozen=True, tag="locate"):
    """I am here now: an event of `location:user-<me>`; with an `id`, answered once it is accepted."""

    lat: Latitude
    lon: Longitude
    client_ts: ClientTime | None = None
    accuracy: Annotated[float, Meta(ge=0, description="metres")] | None = None


class Around(Request, frozen=True, tag="around"):
    """Who is near of those who made themselves public, within the same distance as friends."""

    lat: Latitude
    lon: Longitude
    within: _Within | None = None
    limit: _Limit = 20


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where somebody is."""

    user: str
    distance_m: float
    lat: float
    lon: float
    at: Annotated[str, Meta(description="when it was so")]


class NearbyReply(Reply, frozen=True, tag="nearby"):
    """A page of friends, nearest first."""

    friends: list[Place]
    more: bool
    cursor: Annotated[str, Meta(description="of the next page")] | UnsetType = UNSET


class AroundReply(Reply, frozen=True, tag="around"):
    """Those who made themselves public, nearest first; who is no friend is shown in the middle of a cell."""

    friends: list[Place]
    more: bool


class Near(Reply, frozen=True, tag="near"):
    """A friend within the radius came or moved, or the viewer did."""

    user: str
    distance_m: float
    lat: float
    lon: float
    at: str


class Away(Reply, frozen=True, tag="away"):
    """A friend is near no more."""

    user: str
    reason: Literal["left", "inactive", "unfriended", "stopped"]
