"""A page of a stream's past as somebody may see it: of a room only what its stream says is theirs.

Each event of a room says as of which change of it it counts (`members_at`). Nobody is shown one before the
room's record here has that change in it: who was taken out sees nothing after it, however late a role hears.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

import msgspec

from control.rooms.changes import not_found
from control.rooms.membership import ALL, Spans
from control.rooms.rooms import Rooms
from control.rooms.state import is_room
from history.pages import Page
from history.replies import with_counts
from kernel.access.tokens import Grants
from kernel.access.users import ROOM
from kernel.log.positions import MAX_SEQ, Kind, Stream

#: Pages that are read to fill one: what may not be seen is skipped by its ranges, and seldom has to be read.
_MOST_PAGES: Final = 8


class ReadPage(Protocol):
    """Events oldest first, as JSON objects, and whether there are more in the direction of reading."""

    @property
    def events(self) -> list[bytes]: ...

    @property
    def seqs(self) -> list[int]: ...

    @property
    def more(self) -> bool: ...

    @property
    def degraded(self) -> bool:
        """Only a part of what is kept was asked, because a server does not answer."""


class Reader(Protocol):
    """Reads a stream's past."""

    async def read(
        self,
        stream: Stream,
        *,
        after: int | None = None,
        before: int | None = None,
        limit: int,
        replies_to: str = "",
    ) -> ReadPage: ...

    async def replies(
        self, stream: Stream, events: Sequence[bytes], spans: Spans = ALL
    ) -> dict[str, int]: ...


class _AsOf(msgspec.Struct):
    members_at: int = 0


_as_of: Final = msgspec.json.Decoder(_AsOf).decode


def members_at(body: bytes) -> int:
    """The change of its room as of which an event counts; 0: it says nothing of that."""
    return _as_of(body).members_at


async def read_visible(
    reader: Reader,
    rooms: Rooms,
    grants: Grants,
    stream: Stream,
    *,
    after: int | None = None,
    before: int | None = None,
    limit: int = 50,
    replies_to: str = "",
    counted: bool = True,
) -> Page:
    """As `History.read`, with numbers of replies (`counted`). Raises `not_found` for whoever may not read the
    room."""
    page, spans = await _visible(
        *(reader, rooms, grants, stream), after=after, before=before, limit=limit, replies_to=replies_to
    )
    if stream.kind is not Kind.CHAT or not page.events or not counted:
        return page
    return page._replace(events=with_counts(page.events, await reader.replies(stream, page.events, spans)))


class Around(NamedTuple):
    """What lies around a place, and whether there is more of it before and after."""

    page: Page
    before: bool
    after: bool


async def read_around(
    reader: Reader, rooms: Rooms, grants: Grants, stream: Stream, *, seq: int, limit: int, max_bytes: int
) -> Around:
    """The event at `seq` and as many before it as after it, of what may be seen. Raises as `read_visible`."""
    half = limit // 2
    older = await read_visible(reader, rooms, grants, stream, before=seq + 1, limit=limit - half)
    newer = await read_visible(reader, rooms, grants, stream, after=seq, limit=max(1, half))
    if not half and newer.events:
        newer = newer._replace(events=[], seqs=[], more=True)
    sizes = [len(body) for body in (*older.events, *newer.events)]
    first, last = _fitting(sizes, max(0, len(older.events) - 1), max_bytes)
    page = Page(
        [*older.events, *newer.events][first:last],
        more=older.more or newer.more or last - first < len(sizes),
        seqs=[*older.seqs, *newer.seqs][first:last],
        degraded=older.degraded or newer.degraded,
    )
    return Around(page, before=older.more or first > 0, after=newer.more or last < len(sizes))


def _fitting(sizes: Sequence[int], middle: int, most: int) -> tuple[int, int]:
    """So many around the middle as fit, as far as they go to either side."""
    first, last, size = 0, len(sizes), sum(sizes)
    while size > most and last - first > 1:
        if last - 1 - middle >= middle - first:
            last -= 1
            size -= sizes[last]
        else:
            size -= sizes[first]
            first += 1
    return first, last


async def _visible(
    reader: Reader,
    rooms: Rooms,
    grants: Grants,
    stream: Stream,
    *,
    after: int | None,
    before: int | None,
    limit: int,
    replies_to: str,
) -> tuple[Page, Spans]:
    if not is_room(stream):
        page = await reader.read(stream, after=after, before=before, limit=limit, replies_to=replies_to)
        return _all(page), ALL
    name = stream.channel.removeprefix(ROOM)
    await rooms.seen_by(grants, name)
    if grants.allows("admin", stream.channel):
        page = await reader.read(stream, after=after, before=before, limit=limit, replies_to=replies_to)
        return _all(page), ALL
    found: Page | None = None
    for _ in range(_MOST_PAGES):
        spans = rooms.readable(grants, stream.channel)
        if not spans.ranges:
            raise not_found(name)
        if after is not None:
            after = spans.skip(after)
        elif (before := _below(spans, before)) is None:
            return Page([], more=False, seqs=[]), spans
        found = _all(
            await reader.read(stream, after=after, before=before, limit=limit, replies_to=replies_to)
        )
        if found.events and (newest := members_at(found.events[-1])):
            await rooms.as_of(stream.channel, newest)
            spans = rooms.readable(grants, stream.channel)
        shown = within(found, spans, forward=after is not None)
        if shown.events or not shown.more:
            return shown, spans
        after, before = (found.seqs[-1], None) if after is not None else (None, found.seqs[0])
    degraded = found.degraded if found is not None else False
    return Page([], more=True, seqs=[], degraded=degraded), ALL


def _all(page: ReadPage) -> Page:
    return Page(page.events, page.more, page.seqs, page.degraded)


def within(page: Page, spans: Spans, *, forward: bool) -> Page:
    """What may be seen of a page; `more` where there may be more of that."""
    if spans == ALL or not page.seqs:
        return page
    seen = [place for place, seq in enumerate(page.seqs) if seq in spans]
    more = page.more and (forward or page.seqs[0] > spans.first)
    return page._replace(
        events=[page.events[place] for place in seen], seqs=[page.seqs[place] for place in seen], more=more
    )


def _below(spans: Spans, before: int | None) -> int | None:
    """From where to read backwards; None: nothing of it may be seen."""
    top = MAX_SEQ + 1 if before is None else before
    lower: Sequence[tuple[int, int]] = [one for one in spans.ranges if one[0] < top]
    return min(top, lower[-1][1] + 1) if lower else None
