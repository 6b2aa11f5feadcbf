"""What a session asks its caller to do, as data: the viewer protocol's effects."""

from typing import NamedTuple

from consumers.protocol import crowd as c
from consumers.protocol import feed as f
from consumers.protocol import inbox as talk
from consumers.protocol import messages as m
from consumers.protocol import nearby as n
from kernel.close_codes import Close
from kernel.log.positions import Stream


class Send(NamedTuple):
    """Write this message."""

    payload: bytes


class Verify(NamedTuple):
    """Look at the token; then `admit` or `renew`, or `refuse_token`."""

    request_id: int | None
    token: str


class Watch(NamedTuple):
    """Subscribe to a stream: reply `subscribed`, what was missed, then live."""

    request: m.Subscribe
    stream: Stream


class Oversee(NamedTuple):
    """Subscribe to the operators' figures."""

    request: m.Subscribe


class Leave(NamedTuple):
    """Unsubscribe; nothing of the stream may follow the reply."""

    request_id: int | None
    stream: str


class Post(NamedTuple):
    """Publish an event in this user's name."""

    request: m.Publish
    stream: Stream


class ReadPast(NamedTuple):
    """Read a page of history."""

    request: m.History
    stream: Stream


class CountViewers(NamedTuple):
    """Reply with the number of viewers."""

    request: m.Presence


class Remember(NamedTuple):
    """Keep what this device has; reply `ok` where there is an id."""

    request: m.Ack


class Converse(NamedTuple):
    """What a messenger asks for: what was read, all rooms, their rows, who types."""

    request: talk.Read | talk.Sync | talk.Inbox | talk.Typing


class DoInRoom(NamedTuple):
    """Make a room, look at it, or change it; the reply comes once it is in force."""

    request: m.Room


class AskNearby(NamedTuple):
    """Say who is near, or take where this user is; the reply comes once it is known."""

    request: n.Nearby | n.Locate | n.Around


class AskFeed(NamedTuple):
    """Reply with a page of the feed; then what comes."""

    request: f.Feed


class TakePart(NamedTuple):
    """React, or vote; the reply comes once it is on the log, or counts."""

    request: c.React | c.Vote
    stream: Stream


class SendPing(NamedTuple):
    """Send a WebSocket ping."""


class End(NamedTuple):
    """Close with this code."""

    code: Close


#: What either state asks for, and what only a member does.
Effect = Send | Verify | SendPing | End
MemberEffect = (
    Watch
    | Oversee
    | Leave
    | Post
    | ReadPast
    | CountViewers
    | Remember
    | Converse
    | DoInRoom
    | AskNearby
    | AskFeed
    | TakePart
)
