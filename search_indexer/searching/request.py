"""A search as it is asked for: parameters read and checked, each mistake named."""

from collections.abc import Iterable
from datetime import UTC, tzinfo
from typing import Final, Literal

import msgspec

from kernel.errors import TouchlineError
from kernel.log.positions import Kind, is_channel
from kernel.times import Moment, moment_of, zone_of
from search_indexer.counting.counts import NAMES as COUNTING
from search_indexer.counting.counts import Counts, read_counts
from search_indexer.query.operators import Reading, near_of
from search_indexer.query.syntax import Near

Sort = Literal["relevance", "newest", "oldest", "meaning"]
MAX_LIMIT: Final = 100
MAX_VALUES: Final = 50
_SORTS: Final = ("relevance", "newest", "oldest", "meaning")
NAMES: Final = (
    *("q", "kind", "channel", "sender", "type", "since", "until", "zone", "near", "within", "sort"),
    *("limit", "cursor", *COUNTING),
)
_REPEATED: Final = frozenset({"kind", "channel", "sender", "type", "facet"})


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
    #: What times in `q` mean: in this time zone, and asked at this moment (0: when it is answered).
    zone: str = ""
    now: int = 0

    def reading(self, now_ms: int) -> Reading:
        """What times in `q` mean, where that was not said."""
        return Reading(self.now or now_ms, zone_of(self.zone) if self.zone else UTC)


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of the hits is wanted, and what is to be counted of all of them."""

    limit: int = 20
    cursor: str | None = None
    counts: Counts | None = None


def read_search(given: Iterable[tuple[str, str]], now_ms: int = 0) -> tuple[Search, Page]:
    """A search from names and values, asked now. `kind channel sender type facet` may be repeated."""
    values: dict[str, list[str]] = {}
    for name, value in given:
        if name not in NAMES:
            raise _wrong(f"{name[:40]!r} is not a parameter of a search: {', '.join(NAMES)} are.")
        values.setdefault(name, []).append(value)
    once = {name: _once(name, values) for name in NAMES if name not in _REPEATED}
    zone = _zone(once["zone"])
    first, last = (_time(name, once[name], now_ms, zone) for name in ("since", "until"))
    since = None if first is None else first.start
    until = None if last is None else max(last.start, last.end - 1)
    if since is not None and until is not None and until < since:
        raise _wrong("until is before since: the first moment comes first.")
    sort = once["sort"] or ("relevance" if (once["q"] or "").strip() else "newest")
    if sort not in _SORTS:
        raise _wrong(f"sort is {sort[:40]!r}: it is relevance, newest, oldest or meaning.")
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
        zone=once["zone"] or "",
        now=now_ms,
    )
    counts = read_counts(values.get("facet", [])[:MAX_VALUES], once)
    if counts is not None and counts.compare and since is None:
        raise _wrong("compare needs since: as much time before it is counted, too.")
    return search, Page(limit=_limit(once["limit"]), cursor=once["cursor"] or None, counts=counts)


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


def _zone(name: str | None) -> tzinfo:
    if not name:
        return UTC
    try:
        return zone_of(name)
    except ValueError as error:
        raise _wrong(f"zone: {error}") from None


def _time(name: str, value: str | None, now_ms: int, zone: tzinfo) -> Moment | None:
    if not value:
        return None
    try:
        # A + that was not percent-encoded arrives as a space.
        return moment_of(value.replace(" ", "+") if "T" in value else value, now_ms, zone)
    except ValueError as error:
        raise _wrong(f"{name}: {error}") from None


def _near(place: str | None, within: str | None) -> Near | None:
    if not place:
        if within:
            raise _wrong("within is given without near: add near=lat,lon.")
        return None
    try:
        return near_of(place, within or "")
    except ValueError as error:
        raise _wrong(str(error)) from None


def _limit(value: str | None) -> int:
    if not value:
        return Page().limit
    if not (value.isascii() and value.isdigit() and len(value) <= 9 and 1 <= int(value) <= MAX_LIMIT):
        raise _wrong(f"limit is {value[:40]!r}: it is a number from 1 to {MAX_LIMIT}.")
    return int(value)
