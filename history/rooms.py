"""A page of somebody's rooms: which rows, in which order; a large last event is read from history."""

import asyncio
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from typing import Any, Final, NamedTuple, Protocol
from zlib import crc32

import msgspec

from control.inbox.mentions import names_in
from control.inbox.rows import Entry, Row, SortKey, entries_of, row_of
from control.inbox.unread import ReadUpTo
from control.rooms.rooms import Rooms
from control.rooms.service import RoomService, Who
from control.rooms.state import channel_of, stream_of
from control.rooms.users import UserRoom
from kernel.errors import TouchlineError
from kernel.log.positions import MAX_SEQ, Kind, Stream

#: Rows that are looked at between turns of the loop.
_A_TURN: Final = 50
#: Bytes of the sum by which a cursor that was damaged is known.
_SUM: Final = 4
#: Events of one read, where what is unread is counted by the log.
_PAGE: Final = 500


class _Page(Protocol):
    @property
    def events(self) -> list[bytes]: ...

    @property
    def seqs(self) -> list[int]: ...

    @property
    def more(self) -> bool: ...


class Reader(Protocol):
    """Reads a stream's past."""

    async def read(
        self, stream: Stream, *, after: int | None = None, before: int | None = None, limit: int
    ) -> _Page: ...


class Upto(NamedTuple):
    """How far a user is in a stream: what they have read, and what a device of theirs has."""

    read: ReadUpTo
    delivered: int


#: How far a user is in a stream, as whoever asks knows it.
PlaceOf = Callable[[str, str], Upto]


class RoomRows(msgspec.Struct, frozen=True):
    """The answer."""

    rooms: list[dict[str, Any]]
    next: str | None


async def rows_of(
    history: Reader,
    service: RoomService,
    who: Who,
    user: str,
    *,
    limit: int,
    cursor: str | None,
    place_of: PlaceOf | None = None,
) -> RoomRows:
    """The rooms of a user, for themselves and for `admin`: those that the token covers.

    Raises `forbidden`, `bad_request` or `unavailable`."""
    service.check_whose(who, user)
    entries = entries_of(service.rooms, user)
    if cursor is not None:
        after = _read_cursor(cursor)
        entries = [entry for entry in entries if entry.place < after]
    found: list[tuple[Entry, Row]] = []
    for number, entry in enumerate(entries, 1):
        theirs = who.reads(entry.room.room)
        if theirs and (row := _row(service.rooms, user, entry, place_of)) is not None:
            found.append((entry, row))
            if len(found) > limit:
                break
        if number % _A_TURN == 0:
            await asyncio.sleep(0)
    page = found[:limit]
    rows = await asyncio.gather(*(with_last(history, user, entry.room, row) for entry, row in page))
    return RoomRows(list(rows), _cursor(page[-1][0].place) if len(found) > limit else None)


def upto_of(rooms: Rooms, user: str, stream: str) -> Upto:
    """As the user's records have it."""
    known = rooms.inboxes.of_user(user)
    return Upto(known.read(stream), known.delivered(stream))


def _row(rooms: Rooms, user: str, entry: Entry, place_of: PlaceOf | None) -> Row | None:
    stream = stream_of(entry.room.room)
    read, delivered = upto_of(rooms, user, stream) if place_of is None else place_of(user, stream)
    return row_of(rooms, user, entry.room, read, delivered)


async def with_last(history: Reader, user: str, one: UserRoom, row: Row) -> dict[str, Any]:
    """The row with what history alone tells of its room. Raises `unavailable`."""
    shown, stream = row.shown, Stream(Kind.CHAT, channel_of(one.room))
    if row.lacks_last:
        page = await history.read(stream, before=MAX_SEQ, limit=1)
        seen = bool(page.events) and page.seqs[-1] in one.spans
        shown = {**shown, "last": msgspec.Raw(page.events[-1]) if seen else None}
    return (
        shown if not row.to_count else {**shown, **await _counted(history, stream, one, user, shown["read"])}
    )


class _Event(msgspec.Struct):
    id: str = ""
    n: int = 0
    type: str = ""
    sender: str | None = None
    retracted: bool = False
    data: dict[str, Any] = {}


_event: Final = msgspec.json.Decoder(_Event).decode


async def _counted(history: Reader, stream: Stream, one: UserRoom, user: str, read: int) -> dict[str, int]:
    """Unread messages and mentions by the log: of who has read nothing for very long, or where data of
    somebody were erased."""
    texts: dict[str, str] = {}
    after = read
    while True:
        page = await history.read(stream, after=after, limit=_PAGE)
        for seq, body in zip(page.seqs, page.events, strict=True):
            event = _event(body)
            target = str(event.data.get("target"))
            if event.type == "retract":
                texts.pop(target, None)
            elif event.type == "edit":
                if target in texts and not event.retracted:
                    texts[target] = str(event.data.get("text", ""))
            elif event.n and not event.retracted and event.sender != user and seq in one.spans:
                texts[event.id] = str(event.data.get("text", ""))
        if not page.more or not page.seqs:
            mentions = sum(1 for text in texts.values() if user in names_in(text))
            return {"unread": len(texts), "mentions": mentions}
        after = page.seqs[-1]


def _cursor(key: SortKey) -> str:
    place = msgspec.json.encode(key)
    return urlsafe_b64encode(place + crc32(place).to_bytes(_SUM)).decode()


def _read_cursor(text: str) -> SortKey:
    try:
        place = urlsafe_b64decode(text[:1000])[:-_SUM]
        key = SortKey(*msgspec.json.decode(place, type=tuple[int, str]))
    except (ValueError, RecursionError):
        key = None
    if key is None or _cursor(key) != text:
        raise TouchlineError("bad_request", "The cursor is none of this list's.")
    return key
