"""A messenger's messages: what was read, all rooms, receipts, who types, who comes and goes."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from consumers.protocol.shapes import Reply, Request, Seq, StreamName


class Read(Request, frozen=True, tag="read"):
    """The user has read a room, or their notifications, up to here: on whatever device."""

    stream: StreamName
    seq: Seq


class Sync(Request, frozen=True, tag="sync"):
    """Follow all rooms of the user, from what this device acknowledged last."""


class Inbox(Request, frozen=True, tag="inbox"):
    """The user's rooms with what is unread in each, the latest activity first; then what changes of them."""

    limit: Annotated[int, Meta(ge=1, le=200)] = 50
    cursor: Annotated[str, Meta(max_length=1000, description="that of the page before")] | None = None
    off: Annotated[bool, Meta(description="no more of it")] = False


class Typing(Request, frozen=True, tag="typing"):
    """The user is typing; it is over after 5 s."""

    stream: StreamName


class Present(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who watches a stream."""

    user: str
    devices: int
    since: Annotated[str, Meta(description="RFC 3339")]


class Join(Reply, frozen=True, tag="join"):
    """Somebody watches the stream now who did not before, on any device."""

    stream: str
    user: str


class Gone(Reply, frozen=True, tag="leave"):
    """Somebody watches the stream no more."""

    stream: str
    user: str


class Synced(Reply, frozen=True, tag="synced"):
    """All rooms are followed; so many events come that this device has not acknowledged."""

    rooms: int
    behind: int


class InboxReply(Reply, frozen=True, tag="inbox"):
    """A page of rows; without `id`: rows that have changed, or of rooms that are gone."""

    rooms: list[Any]
    more: bool | UnsetType = UNSET
    cursor: Annotated[str, Meta(description="of the page after; null: there is none")] | UnsetType | None = (
        UNSET
    )
    notifications: Annotated[int, Meta(description="that the user has not read")] | UnsetType = UNSET


class Receipt(Reply, frozen=True, tag="receipt"):
    """Up to where a member of a room has it on a device, and has read it."""

    stream: str
    user: str
    delivered: int
    read: int


class IsTyping(Reply, frozen=True, tag="typing"):
    """A member of a room is typing; it is over after 5 s."""

    stream: str
    user: str
