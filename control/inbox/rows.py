"""A user's rooms as rows: what is unread in each, the latest activity first; for every way in."""

from typing import Any, NamedTuple

import msgspec

from control.inbox.unread import ReadUpTo, counts
from control.rooms.rooms import Rooms
from control.rooms.state import stream_of
from control.rooms.users import UserRoom
from kernel.access.users import ROOM


class SortKey(NamedTuple):
    """The order of rows: by the latest event of the room; rooms of one moment by their ids."""

    at: int
    room: str


class Entry(NamedTuple):
    """A room of a user's, and where its row stands."""

    place: SortKey
    room: UserRoom


def entries_of(rooms: Rooms, user: str) -> list[Entry]:
    """All of a user's rooms, the latest activity first."""
    mine = rooms.open_to(user)
    heads = rooms.inboxes.heads([ROOM + one.room for one in mine])

    def placed(one: UserRoom) -> Entry:
        head = heads.get(ROOM + one.room)
        return Entry(SortKey(0 if head is None else head.at, one.room), one)

    return sorted(map(placed, mine), key=lambda entry: entry.place, reverse=True)


class Row(NamedTuple):
    """What is shown of a room."""

    shown: dict[str, Any]
    #: Whether its latest event is too large to be kept, or of somebody whose data are erased: it is to be had
    #: from history.
    lacks_last: bool
    #: Whether what is unread is to be counted by history.
    to_count: bool = False


def row_of(rooms: Rooms, user: str, one: UserRoom, read: ReadUpTo, delivered: int) -> Row | None:
    """What is shown of a user's room; None where they are not in it any more."""
    room, tally = rooms.room(one.room), rooms.inboxes.tally(ROOM + one.room)
    me = None if room is None else room.member(user)
    if room is None or me is None:
        return None
    found = counts(tally, one.spans, user, read)
    seen = tally is not None and tally.seq in one.spans
    shown = {
        "room": room.room,
        "stream": stream_of(room.room),
        "name": room.name,
        "role": me.role,
        "members": len(room.members),
        "unread": found.unread,
        "mentions": found.mentions,
        "last": msgspec.Raw(tally.last) if tally is not None and seen and tally.last else None,
        "read": found.read,
        "delivered": delivered,
        "muted": one.muted,
    }
    erased = tally is not None and rooms.anybody_erased(one.user for one in tally.posts)
    if erased:
        shown["last"] = None
    return Row(
        shown,
        lacks_last=seen and shown["last"] is None,
        to_count=found.short or (erased and found.unread > 0),
    )
