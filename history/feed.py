"""A feed: broadcasts of many channels as one list by `id`, read as a stream's past is: index, then log.

Up to each partition's watermark the index answers, from there the log does; what both have is there once.
An event's id says when it was appended, in which partition and where in it, so ids of all channels have one
order, and a page before or after an id is complete.
"""

from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from history.pages import MAX_LIMIT, Bound, Entry, Watermark
from history.sources.index import StreamIndex
from history.sources.log import Deadline, GoneError, LogReader
from kernel.errors import TouchlineError
from kernel.log.records import Partition

#: Records behind the watermarks that are read as they come; where there are more, the place is looked for.
SHORT: Final = 5_000
_CHUNK: Final = 2_000
_LARGEST: Final = 50_000
#: An event that was appended so long ago has been through the workers.
_SETTLED_MS: Final = 60_000
#: How long pages of the past are kept, and how much of them: retention and erasures go on meanwhile.
_KNOWN_S: Final = 30.0
_KNOWN_BYTES: Final = 16 * 1024 * 1024
#: Ids have so many digits until the year 2085.
_DIGITS: Final = 40


class Followed(NamedTuple):
    """What of a channel's broadcasts belongs into a feed."""

    types: frozenset[str]
    #: Events from before this append time are not kept any more.
    since: int = 0


class FeedPage(NamedTuple):
    """Events of a feed, the newest first."""

    #: Each event's JSON object, as viewers see it.
    events: list[bytes]
    #: Whether there are more in the direction that was asked for.
    more: bool
    #: The events' ids.
    ids: list[str]
    degraded: bool = False


class Range(NamedTuple):
    """Which ids are wanted: those between, none of them included. `forward`: the lowest first."""

    above: int = 0
    below: int = 1 << 128
    forward: bool = False

    def has(self, id_: int) -> bool:
        """Whether an id is one of them."""
        return self.above < id_ < self.below

    @property
    def first_ms(self) -> int:
        """The append time before which there is none."""
        return self.above >> 38

    @property
    def last_ms(self) -> int | None:
        """The append time after which there is none; None: no bound."""
        return None if self.below == 1 << 128 else self.below >> 38


def range_of(before: str | None, after: str | None) -> Range:
    """The range that somebody asks for. Raises `bad_request`."""
    if before is not None and after is not None:
        raise TouchlineError("bad_request", "Give after or before, not both.")
    for given in (before, after):
        if given is not None and not (given.isascii() and given.isdigit() and len(given) <= _DIGITS):
            raise TouchlineError("bad_request", f"{given[:60]!r} is no event's id.")
    if after is not None:
        return Range(above=int(after), forward=True)
    return Range() if before is None else Range(below=min(int(before), 1 << 128))


def check_limit(limit: int) -> int:
    """How many events are asked for. Raises `bad_request`."""
    if not 1 <= limit <= MAX_LIMIT:
        raise TouchlineError("bad_request", f"limit is {limit}: it must be from 1 to {MAX_LIMIT}.")
    return limit


def page_of(entries: Mapping[int, bytes], wanted: Range, bound: Bound, *, degraded: bool) -> FeedPage:
    """The page that these events make: all there are in the range, or more than the bound holds."""
    ids = sorted((id_ for id_ in entries if wanted.has(id_)), reverse=not wanted.forward)
    fit = bound.fitting([Entry(0, entries[id_]) for id_ in ids])
    shown = sorted(ids[:fit], reverse=True)
    return FeedPage([entries[i] for i in shown], len(ids) > fit, [str(i) for i in shown], degraded)


async def indexed(
    index: StreamIndex, generation: int, followed: Mapping[str, Followed], wanted: Range, bound: Bound
) -> dict[int, bytes]:
    """What the index has: all there is in the range, or more than the bound holds."""
    found: dict[int, bytes] = {}
    size, at = 0, None
    channels = _grouped(followed)
    while not bound.exceeded(len(found), size):
        hits, at, whole = await index.feed(
            generation,
            channels,
            first_ms=wanted.first_ms,
            last_ms=wanted.last_ms,
            forward=wanted.forward,
            limit=min(bound.events + 1 - len(found), 100),
            at=at,
        )
        for id_, body in hits:
            if wanted.has(id_) and id_ not in found:
                found[id_] = body
                size += len(body)
        if whole:
            break
    return found


def _grouped(followed: Mapping[str, Followed]) -> dict[Followed, list[str]]:
    """The streams by what of them is wanted: nearly all want the same."""
    groups: dict[Followed, list[str]] = {}
    for channel, one in followed.items():
        groups.setdefault(one, []).append(f"broadcast:{channel}")
    return groups


class FeedTail:
    """What the index does not have yet of these channels, in these partitions, from their watermarks on."""

    def __init__(
        self,
        followed: Mapping[str, Followed],
        marks: Mapping[Partition, Watermark],
        wanted: Range,
        bound: Bound,
        *,
        decode: Callable[[bytes], Mapping[str, Any] | None],
        render: Callable[[Mapping[str, Any]], bytes],
        ends: Callable[[Collection[Partition]], Mapping[Partition, int]] = lambda _: {},
    ) -> None:
        """`ends` says where partitions end, of all at once; none where that is not known."""
        self._ends = ends
        self._followed = {name.encode(): one for name, one in followed.items()}
        self._marks, self._wanted, self._bound = marks, wanted, bound
        self._decode, self._render = decode, render

    def read(self, reader: LogReader, deadline: Deadline) -> dict[int, bytes]:
        """All there is, or of each partition more than the bound holds."""
        starts = {place: mark.offset for place, mark in self._marks.items()}
        found: dict[int, bytes] = {}
        try:
            for number, (key, value) in enumerate(reader.to_ends(starts, self._ends(starts), deadline)):
                if number > SHORT:
                    break
                self._take(key, value, found)
            else:
                return found
        except GoneError:
            pass  # the log does not reach back so far any more: its bounds say where it begins now
        found = {}
        for place in starts:
            found |= self._of_one(place, reader, deadline)
        return found

    def _of_one(self, place: Partition, reader: LogReader, deadline: Deadline) -> dict[int, bytes]:
        low, high = reader.bounds(place, deadline)
        low = max(low, self._marks[place].offset)
        wanted, found, size = self._wanted, dict[int, bytes](), 0
        if wanted.first_ms and high - low > SHORT:
            low = max(low, reader.offset_at(place, wanted.first_ms, deadline, default=high))
        if wanted.last_ms is not None and high - low > SHORT:
            high = min(high, reader.offset_at(place, wanted.last_ms + 1, deadline, default=high))
        for start, stop in _chunks(low, high, forward=wanted.forward):
            for record in reader.between(place, start, stop, deadline):
                size += self._take(record.key, record.value or b"", found)
            if self._bound.exceeded(len(found), size):
                break
        return found

    def _take(self, key: bytes | None, value: bytes, found: dict[int, bytes]) -> int:
        """One record, where it belongs into the feed; how large it is."""
        one = self._followed.get(key or b"")
        event = None if one is None else self._decode(value)
        if one is None or event is None or event["type"] not in one.types or event["server_ts"] < one.since:
            return 0
        id_ = int(event["id"])
        if id_ in found or not self._wanted.has(id_):
            return 0
        body = found[id_] = self._render(event)
        return len(body)


class KnownPages:
    """Pages of the past that were read lately. Nothing comes before an id that is a minute old."""

    def __init__(self) -> None:
        self._pages: OrderedDict[Hashable, tuple[float, int, FeedPage]] = OrderedDict()
        self._bytes = 0

    def get(self, key: Hashable, now: float) -> FeedPage | None:
        """The page, where it is known and was read lately."""
        at, _, page = self._pages.get(key, (float("-inf"), 0, None))
        if page is None or now - at > _KNOWN_S:
            return None
        self._pages.move_to_end(key)
        return page

    def put(self, key: Hashable, page: FeedPage, now: float) -> None:
        """Keep it for a while."""
        size = sum(map(len, page.events)) + 1024
        _, old, _ = self._pages.pop(key, (0.0, 0, None))
        self._pages[key] = now, size, page
        self._bytes += size - old
        while self._bytes > _KNOWN_BYTES:
            _, (_, gone, _) = self._pages.popitem(last=False)
            self._bytes -= gone


def is_past(wanted: Range, now_ms: int) -> bool:
    """Whether nothing can come into this range any more."""
    return wanted.last_ms is not None and wanted.last_ms < now_ms - _SETTLED_MS


def _chunks(low: int, high: int, *, forward: bool) -> Iterator[tuple[int, int]]:
    """Parts of a stretch of the log, from where reading begins; each larger than the one before."""
    size = _CHUNK
    while low < high:
        if forward:
            start, stop = low, min(high, low + size)
            low = stop
        else:
            start, stop = max(low, high - size), high
            high = start
        yield start, stop
        size = min(size * 4, _LARGEST)
