"""A page of somebody's rooms: which rows, in which order, and what each says."""

import asyncio
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any, Protocol

import msgspec

from control.rooms.door import RoomDoor, Who
from control.rooms.state import Room, channel_of, stream_of
from control.rooms.users import UserRoom
from kernel.errors import TouchlineError
from kernel.log.positions import MAX_SEQ, Kind, Stream


class _Page(Protocol):
    @property
    def events(self) -> list[bytes]: ...

    @property
    def seqs(self) -> list[int]: ...


class Reader(Protocol):
    """Reads a stream's past."""

    async def read(
        self, stream: Stream, *, after: int | None = None, before: int | None = None, limit: int
    ) -> _Page: ...


class RoomRows(msgspec.Struct, frozen=True):
    """The answer."""

    rooms: list[dict[str, Any]]
    next: str | None


async def rows_of(
    history: Reader, door: RoomDoor, who: Who, user: str, *, limit: int, cursor: str | None
) -> RoomRows:
    """The rooms of a user, for themselves and for `admin`.

    Raises `forbidden`, `bad_request` or `unavailable`."""
    found = sorted(door.of_user(who, user), key=_place, reverse=True)
    if cursor is not None:
        after = _read_cursor(cursor)
        found = [one for one in found if _place(one) < after]
    page = found[:limit]
    rows = await asyncio.gather(*(_row(history, user, *one) for one in page))
    return RoomRows(list(rows), _cursor(page[-1]) if len(found) > limit else None)


async def _row(history: Reader, user: str, one: UserRoom, room: Room) -> dict[str, Any]:
    last = await history.read(Stream(Kind.CHAT, channel_of(room.room)), before=MAX_SEQ, limit=1)
    me = room.member(user)
    return {
        "room": room.room,
        "stream": stream_of(room.room),
        "name": room.name,
        "role": me.role if me is not None else "member",
        "members": len(room.members),
        "last": msgspec.Raw(last.events[-1]) if last.events and last.seqs[-1] in one.spans else None,
        "muted": one.muted,
    }


def _place(one: tuple[UserRoom, Room]) -> tuple[int, str]:
    """The order of rows: by the latest change of the room; rooms of one moment by their ids."""
    room = one[1]
    return room.recent[-1].at if room.recent else 0, room.room


def _cursor(one: tuple[UserRoom, Room]) -> str:
    return urlsafe_b64encode(msgspec.json.encode(_place(one))).decode()


def _read_cursor(text: str) -> tuple[int, str]:
    try:
        return msgspec.json.decode(urlsafe_b64decode(text[:1000]), type=tuple[int, str])
    except (ValueError, RecursionError):
        raise TouchlineError("bad_request", "The cursor is none of this list's.") from None
