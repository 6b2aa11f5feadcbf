"""What users are told of, as it follows from an event: who is mentioned, answered, let in, asked.

A notification says where something happened, by whom, and which event it is. It repeats no text: whoever was
taken out of a room since, or whose message was taken back, is shown nothing of it by a copy.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec

from control.inbox.mentions import names_in, other_names_in
from control.nearby.friends import Friend
from kernel.access.users import MAX_USER, ROOM, notify_channel
from schemas.checks import CHANGES

#: Users whom one message tells: who names more has them told in a text that they find themselves.
MOST_MENTIONED: Final = 20
_ADDED: Final = frozenset({"created", "added"})


class Note(NamedTuple):
    """Something to tell a user."""

    user: str
    #: What it may be told as: the first type that the user wants.
    types: tuple[str, ...]
    #: The same for what is read again.
    key: str
    data: dict[str, Any]

    @property
    def channel(self) -> str:
        return notify_channel(self.user)

    def value(self, type_: str) -> bytes:
        """The record on the ingest topic of broadcasts."""
        return msgspec.json.encode({"type": type_, "key": self.key, "sender": "touchline", "data": self.data})


class _Change(msgspec.Struct):
    """What a room's event says of itself."""

    what: str = ""
    by: str | None = None
    users: tuple[str, ...] = ()


class _Extra(msgspec.Struct):
    reply_to: Any = None


def may_tell(channel: bytes, value: bytes) -> bool:
    """Whether a chat event of this record may have to be told: cheap, and never wrongly no."""
    return b"@" in value or b"reply_to" in value or b"\\u" in value or channel.startswith(_ROOM)


def answers(event: Mapping[str, Any]) -> str:
    """The id of the event that a chat event answers; empty: it answers none."""
    extra = event["data"]["extra"]
    if extra is None or event["type"] in CHANGES:
        return ""
    try:
        found = msgspec.json.decode(extra, type=_Extra).reply_to
    except msgspec.DecodeError:
        return ""
    return found if isinstance(found, str) else ""


def notes_of(event: Mapping[str, Any], *, author: str | None, members: tuple[str, ...]) -> list[Note]:
    """What a chat event tells; `author` of what it answers, `members` of its room."""
    if event["type"] == "room" and event["channel"].startswith(ROOM):
        return _invited(event)
    if event["type"] in CHANGES or event["sender"] is None:
        return []
    by, text = event["sender"], event["data"]["text"]
    mentioned = dict.fromkeys((*names_in(text), *other_names_in(text, members)))
    mentioned.pop(by, None)
    users = list(mentioned)[:MOST_MENTIONED]
    data = {"stream": f"chat:{event['channel']}", "event": event["id"], "seq": event["seq"], "by": by}
    found: list[Note] = []
    if author is not None and author != by:
        types = ("reply", "mention") if author in mentioned else ("reply",)
        found.append(Note(author, types, f"chat-{event['id']}", {**data, "target": answers(event)}))
    found += [Note(user, ("mention",), f"chat-{event['id']}", data) for user in users if user != author]
    return found


def _invited(event: Mapping[str, Any]) -> list[Note]:
    try:
        change = msgspec.json.decode(event["data"]["extra"] or "{}", type=_Change)
    except msgspec.DecodeError:
        return []
    if change.what not in _ADDED:
        return []
    channel = event["channel"]
    data = {
        "room": channel.removeprefix(ROOM),
        "stream": f"chat:{channel}",
        "event": event["id"],
        "seq": event["seq"],
        "by": change.by,
    }
    key = f"room-{event['id']}"
    users = (user for user in change.users if 0 < len(user) <= MAX_USER and user != change.by)
    return [Note(user, ("invited",), key, data) for user in users]


def note_of_friend(friend: Friend) -> Note | None:
    """What a friendship's record tells the user whose it is: that somebody asks them."""
    if friend.state != "asking":
        return None
    key = f"friend-{friend.since}-{friend.friend}"[:128]
    return Note(friend.user, ("friend",), key, {"by": friend.friend, "state": friend.state})


_ROOM: Final = ROOM.encode()
