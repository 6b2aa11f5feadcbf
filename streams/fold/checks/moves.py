"""Where users were last, by their own channels: a position that nobody can have come to is refused. Pure.

All of it is decided by append times and what the events say, so a record that is read again, by this worker
or the next, comes out the same: of positions older than the window nothing is remembered, nor read back.
"""

from collections.abc import Mapping
from math import asin, cos, inf, radians, sin, sqrt
from typing import Any, Final, NamedTuple

from kernel.access.users import USER
from kernel.errors import TouchlineError
from schemas.rendering import rfc3339

#: The devices' clocks may be ahead by so much.
_AHEAD_MS: Final = 60_000
#: Where somebody was, as satellites have it, may be off by so much; and by what they say themselves.
_OFF_M: Final = 100.0
_MOST_OFF_M: Final = 2000.0
_EARTH_M: Final = 6_371_008.8


class Move(NamedTuple):
    """A position that was accepted."""

    lat: float
    lon: float
    accuracy: float | None
    #: When it was so, as its device says.
    client_ts: int | None
    append_ms: int


class Moved(NamedTuple):
    """A position that was accepted, of a user's own channel."""

    #: The user's name as it stands in channels, and as it is.
    name: str
    user: str
    lat: float
    lon: float
    at: str
    append_ms: int
    seq: int
    id: str
    offset: int


def move_of(event: Mapping[str, Any], append_ms: int) -> Move:
    """What an event of a user's own channel says."""
    data = event["data"]
    return Move(data["lat"], data["lon"], data["accuracy"], event["client_ts"], append_ms)


class Moves:
    """The last positions of one ingest partition's users. Two generations, as `Repeats` has them."""

    def __init__(self, window_ms: int = 600_000, max_speed_m_s: float = inf) -> None:
        self._window_ms, self._max_speed = window_ms, max_speed_m_s
        self._young: dict[str, Move] = {}
        self._old: dict[str, Move] = {}
        self._young_since = 0

    def check(self, channel: str, move: Move) -> None:
        """Raise `invalid_event` where nobody can be there then."""
        at = move.client_ts
        if at is not None and at > move.append_ms + _AHEAD_MS:
            raise TouchlineError(
                "invalid_event",
                f"client_ts lies {(at - move.append_ms) / 1000:.0f} s ahead of the time at which it came.",
            )
        last = self._young.get(channel) or self._old.get(channel)
        if last is None or move.append_ms - last.append_ms >= self._window_ms:
            return
        since_ms = move.append_ms - last.append_ms
        if at is not None and last.client_ts is not None:
            since_ms = at - last.client_ts
            if since_ms < 0:
                raise TouchlineError(
                    "invalid_event",
                    f"client_ts is {-since_ms / 1000:.1f} s older than that of the position before.",
                )
        way = _metres(last, move) - _off(last) - _off(move)
        if way > self._max_speed * max(0, since_ms) / 1000:
            raise TouchlineError(
                "invalid_event",
                f"That is {way / 1000:.1f} km from the position before, in {max(0, since_ms) / 1000:.1f} s:"
                f" nobody is faster than {self._max_speed:g} m/s.",
            )

    def take(self, channel: str, event: Mapping[str, Any], append_ms: int, offset: int) -> Moved:
        """An event of a user's own channel was accepted."""
        move = move_of(event, append_ms)
        self.note(channel, move)
        name = channel.removeprefix(USER)
        at = rfc3339(append_ms if move.client_ts is None else move.client_ts)
        return Moved(
            *(name, event["sender"] or name, move.lat, move.lon, at, append_ms),
            seq=event["seq"],
            id=event["id"],
            offset=offset,
        )

    def note(self, channel: str, move: Move) -> None:
        """It was accepted."""
        if move.append_ms - self._young_since >= self._window_ms:
            gone = move.append_ms - self._young_since >= 2 * self._window_ms
            self._old = {} if gone else self._young
            self._young, self._young_since = {}, move.append_ms
        self._young[channel] = move


def _off(move: Move) -> float:
    return _OFF_M / 2 + min(move.accuracy or 0.0, _MOST_OFF_M)


def _metres(one: Move, other: Move) -> float:
    """For one pair at a time: arrays cost more than this."""
    lat, other_lat = radians(one.lat), radians(other.lat)
    half = sin((other_lat - lat) / 2) ** 2
    half += cos(lat) * cos(other_lat) * sin(radians(other.lon - one.lon) / 2) ** 2
    return 2 * _EARTH_M * asin(min(1.0, sqrt(half)))
