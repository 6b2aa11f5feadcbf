"""The messages of the viewer protocol, both ways, as types: what is not a message here does not exist.

docs/protocol.md §3 and §4; docs/asyncapi.json is made from this module.
"""

import re
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from consumers.protocol.crowd import PollNews, React, Reactions, Vote
from consumers.protocol.feed import Feed, FeedReply
from consumers.protocol.inbox import (
    Gone,
    Inbox,
    InboxReply,
    IsTyping,
    Join,
    Present,
    Read,
    Receipt,
    Sync,
    Synced,
    Typing,
)
from consumers.protocol.nearby import Around, AroundReply, Away, Locate, Near, Nearby, NearbyReply
from consumers.protocol.shapes import (
    MAX_SEQS,
    ClientTime,
    EventType,
    Key,
    Reply,
    Request,
    Seq,
    StreamName,
    User,
)
from kernel.close_codes import RETRY
from kernel.errors import CODES
from kernel.log.positions import MAX_SEQ

SUBPROTOCOL: Final = "touchline.v1"

# ── what viewers send ────────────────────────────────────────────────────────────────────────────────


class Auth(Request, frozen=True, tag="auth"):
    """Present a token, or a new one before the present one runs out."""

    token: Annotated[str, Meta(max_length=16_384)]


class Subscribe(Request, frozen=True, tag="subscribe"):
    """Watch a stream: live, from a cursor on, or with the latest events first."""

    stream: StreamName
    after: Seq | None = None
    last: Annotated[int, Meta(ge=0, le=1000)] | None = None
    cursors: Annotated[dict[StreamName, Seq], Meta(max_length=MAX_SEQS)] | None = None
    members: Annotated[bool, Meta(description="tell who comes and goes, up to 1,000 viewers")] = False
    reactions: Annotated[bool, Meta(description="tell what reactions and votes come to")] = False


class Unsubscribe(Request, frozen=True, tag="unsubscribe"):
    """Hear no more of a stream."""

    stream: StreamName


class Publish(Request, frozen=True, tag="publish"):
    """Post an event."""

    stream: StreamName
    data: dict[str, Any]
    type: EventType | None = None
    key: Key | None = None
    client_ts: ClientTime | None = None
    traceparent: (
        Annotated[str, Meta(max_length=128, description="W3C: the trace that the event belongs to")] | None
    ) = None
    wait: (
        Annotated[Literal["accepted"], Meta(description="answer when it is accepted or refused, within 2 s")]
        | None
    ) = None


class Ack(Request, frozen=True, tag="ack"):
    """This device has it, up to here; cumulative. Of one stream, or of several."""

    stream: StreamName | None = None
    seq: Seq | None = None
    seqs: Annotated[dict[StreamName, Seq], Meta(max_length=MAX_SEQS)] | None = None


class History(Request, frozen=True, tag="history"):
    """Read a stream's past: the events before, after or around a place."""

    stream: StreamName
    before: Seq | None = None
    after: Seq | None = None
    around: Annotated[int, Meta(ge=0, le=MAX_SEQ, description="as many before it as after it")] | None = None
    limit: Annotated[int, Meta(ge=1, le=500)] = 50
    replies_to: (
        Annotated[str, Meta(pattern="^[0-9]{1,40}$", description="only what answers this event")] | None
    ) = None


class Presence(Request, frozen=True, tag="presence"):
    """How many watch a stream, and with `members` who they are."""

    stream: StreamName
    members: bool = False
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100


class Room(Request, frozen=True, tag="room"):
    """Make a room, look at it, change it, its members, or what one hears of it."""

    do: Literal["create", "get", "list", "change", "delete", "members", "mute"]
    room: (
        Annotated[str, Meta(max_length=128, description="its id; to `create`, one is made up without")] | None
    ) = None
    name: str | None = None
    history: Literal["all", "joined"] | None = None
    receipts: bool | None = None
    members: Annotated[tuple[User, ...], Meta(max_length=256, description="to `create`")] = ()
    add: Annotated[tuple[User, ...], Meta(max_length=256, description="`members`")] = ()
    remove: Annotated[tuple[User, ...], Meta(max_length=256, description="`members`")] = ()
    roles: Annotated[
        dict[User, Literal["owner", "moderator", "member"]],
        Meta(max_length=256, description="`members`"),
    ] = {}  # noqa: RUF012 - a struct copies it
    on: Annotated[bool, Meta(description="`mute`")] | None = None
    limit: Annotated[int, Meta(ge=1, le=200, description="`list`")] | None = None
    cursor: Annotated[str, Meta(max_length=1000, description="`list`: the `next` before")] | None = None


class Ping(Request, frozen=True, tag="ping"):
    """Is anybody there?"""


AnyRequest = (
    Auth
    | Subscribe
    | Unsubscribe
    | Publish
    | Ack
    | Read
    | Sync
    | Inbox
    | Typing
    | History
    | Presence
    | Room
    | Nearby
    | Locate
    | Around
    | Feed
    | React
    | Vote
    | Ping
)

# ── what edges send (events are not here: they pass through as the worker rendered them) ──────────────


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What an edge allows one viewer."""

    max_frame_bytes: int
    max_messages_per_s: float
    max_subscriptions: int


class Welcome(Reply, frozen=True, tag="welcome"):
    """The first message of a connection."""

    session: str
    edge: str
    cell: str
    heartbeat_ms: int
    reconnect_jitter_ms: int
    auth: Literal["required", "anonymous", "ok"]
    limits: Limits
    user: str | UnsetType = UNSET


class Ok(Reply, frozen=True, tag="ok"):
    """Done."""

    user: str | UnsetType = UNSET


class Subscribed(Reply, frozen=True, tag="subscribed"):
    """The stream's events follow: first what was missed, then live. `cursors` are the places in its lanes."""

    stream: str
    seq: int
    recovered: bool
    shard: int
    version: int
    behind: Annotated[int, Meta(ge=0, description="events that follow up to the head")] | UnsetType = UNSET
    cursors: dict[str, int] | UnsetType = UNSET


PublishedId = Annotated[
    int | str, Meta(description="the request's; of a request without one the event's, where that is known")
]


class Published(Reply, frozen=True, kw_only=True, tag="published"):
    """Kafka holds the event on all in-sync replicas; with `wait`, it is accepted."""

    #: A request without one is told the event's: nobody else's reply can be meant.
    id: PublishedId | None = None  # type: ignore[assignment]
    stream: Annotated[str, Meta(description="where it went: a lane, where the channel is spread")]
    key: str
    seq: Annotated[int, Meta(description="its place in the stream, where that is known")] | UnsetType = UNSET
    event_id: Annotated[str, Meta(description="its id, where that is known")] | UnsetType = UNSET


class Rejected(Reply, frozen=True, tag="rejected"):
    """A published event was refused after Kafka had it."""

    stream: str
    code: str
    message: str
    key: str | UnsetType = UNSET


class HistoryReply(Reply, frozen=True, tag="history"):
    """A page of a stream's past, oldest first."""

    stream: str
    events: list[msgspec.Raw]
    more: bool
    #: Of what was asked for around a place.
    more_before: bool | UnsetType = UNSET
    more_after: bool | UnsetType = UNSET


class PresenceReply(Reply, frozen=True, tag="presence"):
    """How many watch a stream, over all edges; where it was asked for, who."""

    stream: str
    viewers: int
    members: list[Present] | UnsetType = UNSET


class RoomMember(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody in a room."""

    user: str
    role: Literal["owner", "moderator", "member"]
    since: Annotated[int, Meta(description="the seq of the event that added them")]


class RoomReply(Reply, frozen=True, tag="room"):
    """A room as it is in force; of `list` a page of `rooms`, of `mute` whether it is."""

    room: str | UnsetType = UNSET
    stream: str | UnsetType = UNSET
    name: str | UnsetType = UNSET
    history: Literal["all", "joined"] | UnsetType = UNSET
    receipts: bool | UnsetType = UNSET
    members: list[RoomMember] | UnsetType = UNSET
    seq: Annotated[int, Meta(description="the seq of its latest change")] | UnsetType = UNSET
    deleted: bool | UnsetType = UNSET
    muted: bool | UnsetType = UNSET
    rooms: list[Any] | UnsetType = UNSET
    next: Annotated[str, Meta(description="`cursor` of the page after")] | UnsetType | None = UNSET


class Pong(Reply, frozen=True, tag="pong"):
    """Somebody is."""


class Gap(Reply, frozen=True, tag="gap"):
    """What lies between `after` and `seq` is not to be had."""

    stream: str
    after: int
    seq: int
    reason: str


class Redirect(Reply, frozen=True, tag="redirect"):
    """This stream is served at another edge; `after`: from where on, where `sync` follows it."""

    stream: str
    url: str
    after: int | UnsetType = UNSET


class Drain(Reply, frozen=True, tag="drain"):
    """Open a new connection after this time; drop this one when the new one is welcome."""

    reconnect_in_ms: int
    deadline_ms: int


class Error(Reply, frozen=True, tag="error"):
    """A request was refused; without `id` and with `stream`: this subscription has ended."""

    code: str
    message: str
    retry: bool
    stream: str | None = None


AnyReply = (
    Welcome
    | Ok
    | Subscribed
    | Published
    | Rejected
    | HistoryReply
    | PresenceReply
    | Join
    | Gone
    | Synced
    | InboxReply
    | Receipt
    | IsTyping
    | RoomReply
    | NearbyReply
    | Near
    | Away
    | AroundReply
    | FeedReply
    | Reactions
    | PollNews
    | Pong
    | Gap
    | Redirect
    | Drain
    | Error
)

#: Where msgspec says that a field of an event is wrong.
_EVENT: Final = re.compile(r"`\$\.(data|type|key)\b|required field `data`")
_requests: Final = msgspec.json.Decoder(AnyRequest)
_encode: Final = msgspec.json.Encoder().encode
KNOWN_OPS: Final = frozenset(kind.__struct_config__.tag for kind in AnyRequest.__args__)


class BadRequest(Exception):  # noqa: N818 - it is not a failure of this program
    """A line that is not a request, with the reply to send for it."""

    def __init__(self, code: str, message: str, request_id: int | None) -> None:
        super().__init__(message)
        self.code, self.message, self.request_id = code, message, request_id


class _Envelope(msgspec.Struct):
    op: Any = None
    id: Any = None


def parse_request(line: str | bytes) -> AnyRequest:
    """Read one request. Raises BadRequest, with a sentence that says where it is wrong."""
    try:
        request: AnyRequest = _requests.decode(line)
        return request
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _explain(line, error) from None


def _explain(line: str | bytes, error: Exception) -> BadRequest:
    try:
        envelope = msgspec.json.decode(line, type=_Envelope)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return BadRequest("bad_request", "The line is not a JSON object of sound depth and encoding.", None)
    is_id = type(envelope.id) is int and 1 <= envelope.id <= MAX_SEQ
    request_id = envelope.id if is_id else None
    if envelope.op is None:
        return BadRequest("bad_request", "The request has no op.", request_id)
    if envelope.op not in KNOWN_OPS if isinstance(envelope.op, str) else True:
        known = ", ".join(sorted(str(op) for op in KNOWN_OPS))
        return BadRequest("unknown_op", f"There is no such op; there are: {known}.", request_id)
    # What is wrong with an event has one code, whatever way it came.
    code = "invalid_event" if envelope.op == "publish" and _EVENT.search(str(error)) else "bad_request"
    return BadRequest(code, f"The request is not valid: {error}.", request_id)


def render(message: AnyReply) -> bytes:
    """A reply as JSON."""
    return _encode(message)


def error(code: str, message: str = "", *, request_id: int | None = None, stream: str | None = None) -> Error:
    """An error with the sentence and the retry flag of its code."""
    return Error(id=request_id, code=code, message=message or CODES[code], retry=RETRY[code], stream=stream)
