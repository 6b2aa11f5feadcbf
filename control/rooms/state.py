"""A room as its record says: who is in it with which role, and since when; who was, and until when. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

import msgspec

from control.rooms.membership import NOTHING, Interval, Spans, readable, wrote_as_member
from kernel.access.users import ROOM
from kernel.log.positions import Kind, Stream

MAX_MEMBERS: Final = 100
History = Literal["all", "joined"]
Role = Literal["owner", "moderator", "member"]


class Member(msgspec.Struct, frozen=True):
    """Somebody who is in the room."""

    user: str
    role: Role
    #: The seq of the event that added them, and the first one that they may read.
    since: int
    first: int


class Former(msgspec.Struct, frozen=True):
    """A time of somebody's in the room that is over."""

    user: str
    since: int
    first: int
    until: int
    #: When that was (append time): what is older than all events is forgotten.
    at: int


class Changed(msgspec.Struct, frozen=True):
    """A change that was accepted."""

    seq: int
    at: int
    #: What it was; and who became the owner by it, where somebody did because the one before left.
    what: str = ""
    owner: str = ""


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """The value of a record in touchline.rooms."""

    room: str
    name: str
    history: History = "all"
    receipts: bool = False
    #: The seq of its first event: nobody reads what was before, under the same name.
    born: int = 0
    #: Whether no other room had the name before.
    first_of_name: bool = True
    #: Whoever came first, first: the longest-serving one follows an owner who leaves.
    members: tuple[Member, ...] = ()
    former: tuple[Former, ...] = ()
    #: The seq of the latest change.
    changed: int = 0
    #: The changes of the last minute, and the one before: a record that is read again after a crash is judged
    #: by the room as it was then.
    recent: tuple[Changed, ...] = ()
    deleted: bool = False
    revision: int = 0

    def member(self, user: str) -> Member | None:
        """Somebody who is in it."""
        return next((one for one in self.members if one.user == user), None)

    def intervals(self, user: str) -> Iterator[Interval]:
        """Somebody's times in it."""
        for old in self.former:
            if old.user == user:
                yield Interval(old.since, old.first, old.until)
        one = self.member(user)
        if one is not None:
            yield Interval(one.since, one.first)

    def readable(self, user: str) -> Spans:
        """What this user may read of it now."""
        return NOTHING if self.member(user) is None else readable(self.intervals(user), self.born)

    def may_write(self, user: str, seq: int) -> bool:
        """Whether a message of theirs counts at this seq."""
        one = self.member(user)
        return (one is not None and one.since < seq) or wrote_as_member(self.intervals(user), seq)

    def changed_before(self, seq: int) -> int:
        """The latest change up to this seq."""
        if seq >= self.changed:
            return self.changed
        return max((one.seq for one in self.recent if one.seq <= seq), default=self.born)

    def has_change(self, seq: int) -> bool:
        """Whether the record at this seq was a change that is in here."""
        return any(one.seq == seq for one in self.recent)


def is_room(stream: Stream) -> bool:
    """Whether it is a room's stream."""
    return stream.kind is Kind.CHAT and stream.channel.startswith(ROOM)


def channel_of(room: str) -> str:
    """A room's channel."""
    return ROOM + room


_STREAM: Final = str(Stream(Kind.CHAT, ROOM))


def stream_of(room: str) -> str:
    """A room's stream."""
    return _STREAM + room


def shown(room: Room) -> dict[str, Any]:
    """A room as every way in shows it."""
    return {
        "room": room.room,
        "stream": stream_of(room.room),
        "name": room.name,
        "history": room.history,
        "receipts": room.receipts,
        "members": [{"user": one.user, "role": one.role, "since": one.since} for one in room.members],
        "seq": room.changed,
    }


def from_avro(value: Mapping[str, Any]) -> Room:
    """A decoded record. Raises msgspec.ValidationError."""
    return msgspec.convert(value, Room)


def to_avro(room: Room) -> dict[str, Any]:
    """The same, for the codec."""
    made: dict[str, Any] = msgspec.to_builtins(room)
    return made
