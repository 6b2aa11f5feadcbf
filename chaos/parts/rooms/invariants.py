"""What must hold of rooms whatever has happened: pure functions from recordings to what is wrong.

Each has a test that shows it can fail (tests/chaos/test_rooms_invariants.py).
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final, NamedTuple

from chaos.invariants import Missing
from chaos.parts.rooms.recount import Recounted, Rooms

_MOST: Final = 5


class Shown(NamedTuple):
    """An event as it came to a device, and when."""

    seq: int
    at_ms: float = float("inf")


class Held(NamedTuple):
    """What one device of a user was shown of a room, over all its connections; what it had it left out."""

    user: str
    device: str
    stream: str
    shown: Sequence[Shown]
    told: Sequence[Missing] = ()


#: Whose inbox, by what way -> the row of each room.
Inboxes = Mapping[tuple[str, str], Mapping[str, Mapping[str, Any]]]


def devices_have_what_is_theirs(held: Iterable[Held], rooms: Rooms) -> list[str]:
    """Each device was shown exactly the events of the times of its user's membership, once, in order: whoever
    is in the room at rest all of them, whoever is not a beginning of them; and none before they were let in,
    or after they were out.
    """
    wrong: list[str] = []
    for one in held:
        who = f"{one.device} of {one.user} in {one.stream}"
        room = rooms.get(one.stream) or Recounted([])
        seqs = [shown.seq for shown in one.shown]
        if backwards := next(((a, b) for a, b in pairwise(seqs) if b <= a), None):
            wrong.append(f"{who} was shown {backwards[1]} after {backwards[0]}")
            continue
        if early := [s.seq for s in one.shown if not room.was_theirs(one.user, s.seq, s.at_ms)]:
            wrong.append(
                f"{who} was shown {len(early)} events that were not theirs to read, first {early[0]}"
            )
            continue
        whole = room.theirs(one.user)
        end = whole[-1] if whole and one.user in room.members else max(seqs, default=0)
        gone = {seq for seq in whole for gap in one.told if gap.after < seq <= gap.until}
        missing = [seq for seq in whole if seq <= end and seq not in gone and seq not in set(seqs)]
        if missing:
            wrong.append(f"{who} missed {len(missing)} of {len(whole)} events, the first is {missing[0]}")
    return wrong[:_MOST]


def counts_are_recounts(inboxes: Inboxes, rooms: Rooms) -> list[str]:
    """Each inbox, whatever way it was asked for, has the rooms that its user is in and no others, and says of
    each what a recount of the log gives: members, what is unread, and what of that mentions them."""
    wrong = []
    for (user, way), rows in inboxes.items():
        mine = {stream for stream, room in rooms.items() if user in room.members}
        if mine != rows.keys():
            lacks, more = sorted(mine - rows.keys()), sorted(rows.keys() - mine)
            wrong.append(f"the inbox of {user} by {way} lacks {lacks}, and has {more} too many")
            continue
        for stream in sorted(mine):
            row, room = rows[stream], rooms[stream]
            said = (row["unread"], row["mentions"], row["members"])
            right = (*room.unread(user, row["read"]), len(room.members))
            if said != right:
                wrong.append(
                    f"the inbox of {user} by {way} says (unread, mentions, members) {said} of {stream},"
                    f" a recount from {row['read']} on {right}"
                )
    return wrong[:_MOST]


def reading_is_everywhere(read: Mapping[tuple[str, str], int], inboxes: Inboxes) -> list[str]:
    """What a user has read on one device, as was confirmed at rest, every inbox of theirs knows."""
    wrong = []
    for (user, way), rows in inboxes.items():
        for (reader, stream), seq in read.items():
            row = rows.get(stream)
            if reader == user and row is not None and row["read"] < seq:
                wrong.append(f"{user} has read {stream} up to {seq}, by {way} up to {row['read']}")
    return wrong[:_MOST]


def members_are_as_the_stream_says(said: Mapping[str, Sequence[str]], rooms: Rooms) -> list[str]:
    """Who is in a room by the gateway is who is in it by its stream."""
    return [
        f"{stream} has {sorted(room.members)} by its stream, and {sorted(said.get(stream, ()))} are shown"
        for stream, room in rooms.items()
        if set(said.get(stream, ())) != room.members
    ][:_MOST]


def what_was_taken_back_is_gone(texts: Mapping[str, Sequence[str]], rooms: Rooms) -> list[str]:
    """No way in gives the text of a message that was taken back, or of its edits. `texts`: all that a way
    gives of a room."""
    wrong = []
    for way, given in texts.items():
        for stream, room in rooms.items():
            gone = room.retracted
            words = {e.text for e in room.events if e.text and (e.id in gone or e.data.get("target") in gone)}
            there = words & set(given)
            if there:
                wrong.append(f"{way} still has {min(there)!r}, which was taken back in {stream}")
    return wrong[:_MOST]
