"""What a stream has come to: all that counts of unread messages rest on, whoever reads. Pure.

Of a room's stream, and of what a user is told, there no more than numbers. One record a stream, moved on by
each event of it, and none a member: 2,000 messages a second to rooms of fifty write 2,000 records at most. It
goes out with its events; after a crash an event that is in it already changes nothing, so it is exact
whichever of both was lost.
"""

from bisect import bisect_right, insort
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec
from msgspec.structs import replace

from control.inbox.mentions import names_in, other_names_in
from control.rooms.changes import TYPE as CHANGE
from control.rooms.state import Room
from kernel.log.positions import MAX_SEQ
from schemas.checks import EDIT, RETRACT

#: Of so many of the latest events the places are known; and so many messages a new device gets.
RECENT: Final = 40
LAST: Final = 20
#: The latest event is kept where it is no larger.
_LARGEST_LAST: Final = 4 * 1024
#: Numbers of messages that were taken back; messages with mentions, and all names in them.
_MOST_RETRACTED: Final = 2000
_MOST_MENTIONS: Final = 400
_MENTIONS_CHARS: Final = 12 * 1024


class LastPost(msgspec.Struct, frozen=True):
    """Somebody's latest message."""

    user: str
    seq: int
    n: int


class Boundary(msgspec.Struct, frozen=True):
    """A change of the room, and the number of the last message before it."""

    seq: int
    n: int


class Mentioning(msgspec.Struct, frozen=True):
    """A message that mentions somebody."""

    n: int
    users: tuple[str, ...]


class Recent(msgspec.Struct, frozen=True):
    """One of the latest events; `n` is 0 where it has none."""

    seq: int
    n: int


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """The value of a record in touchline.tallies."""

    channel: str
    seq: int = 0
    at: int = 0
    n: int = 0
    posts: tuple[LastPost, ...] = ()
    marks: tuple[Boundary, ...] = ()
    retracted: tuple[int, ...] = ()
    retracted_from: int = 0
    mentions: tuple[Mentioning, ...] = ()
    mentions_from: int = 0
    recent: tuple[Recent, ...] = ()
    last: bytes = b""

    def post_of(self, user: str) -> LastPost | None:
        """Somebody's latest message."""
        return next((one for one in self.posts if one.user == user), None)

    def n_at(self, seq: int) -> int | None:
        """The number of the last message up to a place; None where that is not known here."""
        if seq >= self.seq:
            return self.n
        recent = self.recent
        if recent and seq >= recent[0].seq:
            for one in reversed(recent):
                if one.seq <= seq and one.n:
                    return one.n
            first = next((one.n for one in recent if one.n), 0)
            return first - 1 if first else self.n
        return self._n_at_mark(seq)

    def _n_at_mark(self, seq: int) -> int | None:
        at = bisect_right(self.marks, seq, key=lambda mark: mark.seq) - 1
        return self.marks[at].n if at >= 0 and self.marks[at].seq == seq else None

    def n_between(self, first: int, last: int) -> tuple[int, int]:
        """A range of what somebody may read in numbers: behind the first, up to the second one.

        Its ends are changes of the room, or beyond all that there is."""
        low = self._n_at_mark(first)
        high = self.n if last >= MAX_SEQ else self._n_at_mark(last)
        return (0 if first < self.seq else self.n) if low is None else low, self.n if high is None else high

    def start_of_last(self) -> int:
        """The place after which the last messages follow that a new device gets; 0: all of them."""
        messages = [one.seq for one in self.recent if one.n]
        if len(messages) >= LAST:
            return messages[-LAST] - 1
        return self.recent[0].seq - 1 if len(self.recent) >= RECENT else 0

    def events_after(self, seq: int) -> int:
        """How many events follow a place; where that is not known at least so many."""
        return sum(1 for one in self.recent if one.seq > seq)


class RoomEvent(NamedTuple):
    """An event of a room's stream, as far as it matters."""

    seq: int
    at: int
    type: str
    sender: str | None
    n: int | None
    text: str
    #: The number of the message that it changes; 0: none, or nobody has told.
    about: int
    #: The event as JSON.
    body: bytes


def said_of(event: Mapping[str, Any], about: int, body: bytes) -> RoomEvent:
    """An event of the schema `event-chat`."""
    return RoomEvent(
        event["seq"],
        event["server_ts"],
        event["type"],
        event["sender"],
        event["n"],
        event["data"]["text"],
        about,
        body,
    )


def numbered_of(event: Mapping[str, Any]) -> RoomEvent:
    """An event of which nothing matters but that it is there: its text is its user's alone."""
    return RoomEvent(event["seq"], event["server_ts"], "", None, event["n"], "", 0, b"")


def after(tally: Tally, said: RoomEvent, room: Room | None) -> Tally:
    """The tally with an event more. `room`: as it is then, after the event where that changes it."""
    if said.seq <= tally.seq:
        return tally
    n = max(tally.n, said.n or 0)
    changed: dict[str, Any] = {}
    if said.type == CHANGE and room is not None:
        changed = _changed(tally, said, room, n)
    elif said.n:
        if said.sender is not None:
            rest = tuple(one for one in tally.posts if one.user != said.sender)
            changed["posts"] = (*rest, LastPost(said.sender, said.seq, said.n))
        changed |= _mentioning(tally, said.n, said.text, room)
    elif said.type in (EDIT, RETRACT) and said.about:
        changed = _about(tally, said, room)
    return replace(
        tally,
        seq=said.seq,
        at=max(tally.at, said.at),
        n=n,
        recent=(*tally.recent[-RECENT + 1 :], Recent(said.seq, said.n or 0)),
        last=said.body if len(said.body) <= _LARGEST_LAST else b"",
        **changed,
    )


def _changed(tally: Tally, said: RoomEvent, room: Room, n: int) -> dict[str, Any]:
    """What is needed of a room's changes: those at which somebody's times begin or end."""
    if said.seq == room.born:  # of a room that bore the name before nothing is anybody's
        none: dict[str, Any] = {"posts": (), "retracted": (), "mentions": ()}
        return {**none, "marks": (Boundary(said.seq, n),), "retracted_from": 0, "mentions_from": 0}
    ends = {room.born, *(end for one in room.members for end in (one.since, one.first))}
    ends |= {end for one in room.former for end in (one.since, one.first, one.until)}
    known = {one.user for one in room.members} | {one.user for one in room.former}
    marks = (*tally.marks, Boundary(said.seq, n))
    return {
        "marks": tuple(mark for mark in marks if mark.seq in ends or mark.seq == said.seq),
        "posts": tuple(one for one in tally.posts if one.user in known),
    }


def _about(tally: Tally, said: RoomEvent, room: Room | None) -> dict[str, Any]:
    """An earlier message says something else now, or nothing."""
    n = said.about
    if n > tally.n:
        return {}
    if said.type != RETRACT:
        known = n not in tally.retracted and n > tally.mentions_from
        return _mentioning(tally, n, said.text, room) if known else {}
    gone: dict[str, Any] = {"mentions": tuple(one for one in tally.mentions if one.n != n)}
    if n > tally.retracted_from and n not in tally.retracted:
        numbers = list(tally.retracted)
        insort(numbers, n)
        if len(numbers) > _MOST_RETRACTED:
            gone["retracted_from"] = numbers.pop(0)
        gone["retracted"] = tuple(numbers)
    return gone


def _mentioning(tally: Tally, n: int, text: str, room: Room | None) -> dict[str, Any]:
    members = () if room is None else tuple(one.user for one in room.members)
    users = tuple(dict.fromkeys((*names_in(text), *other_names_in(text, members))))
    before = tally.mentions
    if not users and not any(one.n == n for one in before):
        return {}
    kept = [one for one in before if one.n != n]
    if users:
        insort(kept, Mentioning(n, users), key=lambda one: one.n)
    found: dict[str, Any] = {}
    while kept and (len(kept) > _MOST_MENTIONS or _chars(kept) > _MENTIONS_CHARS):
        found["mentions_from"] = kept.pop(0).n
    return {"mentions": tuple(kept), **found}


def _chars(mentions: list[Mentioning]) -> int:
    return sum(len(user.encode()) + 4 for one in mentions for user in one.users)
