"""A search as it is asked for: parameters read and checked, each mistake named."""

import re
from collections.abc import Iterable
from typing import Final, Literal

import msgspec

from kernel.clock import from_rfc3339
from kernel.distances import metres_of
from kernel.errors import TouchlineError
from kernel.log.positions import Kind, is_channel

Sort = Literal["relevance", "newest", "oldest"]
MAX_LIMIT: Final = 100
MAX_VALUES: Final = 50
_SORTS: Final = ("relevance", "newest", "oldest")
_NUMBER: Final = re.compile(r"[+-]?\d{1,3}(?:\.\d{1,15})?")
_EARTH_M: Final = 20_037_509.0
NAMES: Final = (
    *("q", "kind", "channel", "sender", "type", "since", "until", "near", "within", "sort"),
    *("limit", "cursor", "facets"),
)


class Near(msgspec.Struct, frozen=True):
    """A circle on the earth."""

    lat: float
    lon: float
    metres: float


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked for. Two that are equal are the same search, whatever page is asked for."""

    q: str = ""
    kinds: tuple[Kind, ...] = ()
    channels: tuple[str, ...] = ()
    senders: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    since: int | None = None
    until: int | None = None
    near: Near | None = None
    sort: Sort = "newest"


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of the hits is wanted, and whether the facets are."""

    limit: int = 20
    cursor: str | None = None
    facets: bool = False


def read_search(given: Iterable[tuple[str, str]]) -> tuple[Search, Page]:
    """A search from names and values. `kind`, `channel`, `sender` and `type` may be repeated."""
    values: dict[str, list[str]] = {}
    for name, value in given:
        if name not in NAMES:
            raise _wrong(f"{name[:40]!r} is not a parameter of a search: {', '.join(NAMES)} are.")
        values.setdefault(name, []).append(value)
    once = {name: _once(name, values) for name in NAMES if name not in {"kind", "channel", "sender", "type"}}
    since, until = _time("since", once["since"]), _time("until", once["until"])
    if since is not None and until is not None and until < since:
        raise _wrong("until is before since: the first moment comes first.")
    sort = once["sort"] or ("relevance" if (once["q"] or "").strip() else "newest")
    if sort not in _SORTS:
        raise _wrong(f"sort is {sort[:40]!r}: it is relevance, newest or oldest.")
    search = Search(
        q=once["q"] or "",
        kinds=tuple(_kind(value) for value in _several("kind", values)),
        channels=tuple(_channel(value) for value in _several("channel", values)),
        senders=_several("sender", values),
        types=_several("type", values),
        since=since,
        until=until,
        near=_near(once["near"], once["within"]),
        sort=sort,  # type: ignore[arg-type]  # one of _SORTS
    )
    return search, Page(
        limit=_limit(once["limit"]), cursor=once["cursor"] or None, facets=_flag(once["facets"])
    )


def _wrong(sentence: str) -> TouchlineError:
    return TouchlineError("bad_request", sentence)


def _once(name: str, values: dict[str, list[str]]) -> str | None:
    found = values.get(name, [])
    if len(found) > 1:
        raise _wrong(f"{name} is given {len(found)} times: give it once.")
    return found[0] if found else None


def _several(name: str, values: dict[str, list[str]]) -> tuple[str, ...]:
    found = values.get(name, [])
    if len(found) > MAX_VALUES or any(not 0 < len(value) <= 256 for value in found):
        raise _wrong(f"{name} may be given {MAX_VALUES} times, with 1 to 256 characters each.")
    return tuple(found)


def _kind(value: str) -> Kind:
    if value not in list(Kind):
        raise _wrong(f"kind is {value[:40]!r}: it is broadcast, chat or location.")
    return Kind(value)


def _channel(value: str) -> str:
    if not is_channel(value):
        raise _wrong(f"channel {value[:150]!r} is not a channel's name: A-Z a-z 0-9 . _ ~ - are allowed.")
    return value


def _time(name: str, value: str | None) -> int | None:
    if not value:
        return None
    try:
        # A + that was not percent-encoded arrives as a space.
        return from_rfc3339(value.replace(" ", "+") if "T" in value else value)
    except (ValueError, OverflowError):
        raise _wrong(
            f"{name} is {value[:60]!r}: write a time as RFC 3339 has it, like 2026-06-11T19:00:00Z."
        ) from None


def _near(place: str | None, within: str | None) -> Near | None:
    if not place:
        if within:
            raise _wrong("within is given without near: add near=lat,lon.")
        return None
    parts = [part.strip() for part in place.split(",")]
    if len(parts) != 2 or not all(_NUMBER.fullmatch(part) for part in parts):
        raise _wrong(f"near is {place[:60]!r}: write latitude and longitude in degrees, like 40.81,-74.07.")
    lat, lon = float(parts[0]), float(parts[1])
    if abs(lat) > 90 or abs(lon) > 180:
        raise _wrong("near is not on the earth: latitude goes from -90 to 90, longitude from -180 to 180.")
    metres = metres_of(within or "5km")
    if not metres:
        raise _wrong(f"within is {(within or '')[:40]!r}: write a distance with its unit, like 5mi or 800m.")
    return Near(lat, lon, min(metres, _EARTH_M))


def _limit(value: str | None) -> int:
    if not value:
        return Page().limit
    if not (value.isascii() and value.isdigit() and len(value) <= 9 and 1 <= int(value) <= MAX_LIMIT):
        raise _wrong(f"limit is {value[:40]!r}: it is a number from 1 to {MAX_LIMIT}.")
    return int(value)


def _flag(value: str | None) -> bool:
    if value not in {None, "", "0", "1", "true", "false"}:
        raise _wrong("facets is 1 or 0.")
    return value in {"1", "true"}
