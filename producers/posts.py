"""What a producer posts: one type for each kind of event."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar, Final

import msgspec

from kernel.log.positions import Kind, Stream
from schemas.ingest import DEFAULT_TYPE, read_json, read_time, write_data


class Post(msgspec.Struct, kw_only=True):
    """An event of any kind, its `data` as JSON shows it."""

    kind: Kind
    channel: str
    data: Mapping[str, Any]
    type: str | None = None
    key: str | None = None
    sender: str | None = None
    client_ts: int | None = None

    def written(self) -> dict[str, Any]:
        """`data` as the schema has it."""
        return write_data(self.kind, self.data)


class Broadcast(msgspec.Struct):
    """Something that happened, for everybody: `Broadcast("wc26-final", "goal", {"minute": 12})`."""

    kind: ClassVar[Kind] = Kind.BROADCAST

    channel: str
    type: str
    data: Mapping[str, Any] = {}
    key: str | None = None
    sender: str | None = None
    client_ts: int | None = None

    def written(self) -> dict[str, Any]:
        """`data` as the schema has it."""
        return write_data(self.kind, self.data)


class Chat(msgspec.Struct):
    """Something that somebody said: `Chat("wc26-final", "What a goal!", sender="ana")`."""

    kind: ClassVar[Kind] = Kind.CHAT

    channel: str
    text: str
    sender: str | None = None
    key: str | None = None
    type: str = "message"
    target: str | None = None
    extra: Mapping[str, Any] | None = None
    client_ts: int | None = None

    def written(self) -> dict[str, Any]:
        """`data` as the schema has it."""
        if self.extra is not None:
            return write_data(self.kind, {**self.extra, "text": self.text, "target": self.target})
        return {"text": self.text, "target": self.target, "extra": None}


class Location(msgspec.Struct):
    """Where something is: `Location("user-7", 51.556, -0.2796, accuracy=8)`."""

    kind: ClassVar[Kind] = Kind.LOCATION

    channel: str
    lat: float
    lon: float
    accuracy: float | None = None
    heading: float | None = None
    speed: float | None = None
    sender: str | None = None
    key: str | None = None
    type: str = "position"
    extra: Mapping[str, Any] | None = None
    client_ts: int | None = None

    def written(self) -> dict[str, Any]:
        """`data` as the schema has it."""
        data = {
            "lat": self.lat,
            "lon": self.lon,
            "accuracy": self.accuracy,
            "heading": self.heading,
            "speed": self.speed,
        }
        if self.extra is not None:
            return write_data(self.kind, {**self.extra, **data})
        return {**data, "extra": None}


AnyPost = Post | Broadcast | Chat | Location


# Many are there at a time, and none leads back to itself: the garbage collector need not look at them.
class _ChatData(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    text: str
    target: str | None = None


class JsonChat(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The usual chat event as JSON has it: it says no more than a text, and what that is about."""

    data: _ChatData
    type: str = DEFAULT_TYPE[Kind.CHAT]
    key: str | None = None
    sender: str | None = None
    client_ts: str | int | None = None


class _Position(msgspec.Struct, forbid_unknown_fields=True):
    lat: float
    lon: float
    accuracy: float | None = None
    heading: float | None = None
    speed: float | None = None


class _JsonLocation(msgspec.Struct, forbid_unknown_fields=True):
    data: _Position
    type: str = DEFAULT_TYPE[Kind.LOCATION]
    key: str | None = None
    sender: str | None = None
    client_ts: str | int | None = None


#: Reads it; any of NOT_USUAL from it: `read_post`.
read_json_chat: Final = msgspec.json.Decoder(JsonChat).decode
_location: Final = msgspec.json.Decoder(_JsonLocation).decode
NOT_USUAL: Final = (msgspec.DecodeError, ValueError, RecursionError)


def read_post(stream: Stream, value: bytes) -> AnyPost:
    """An event in JSON, as the protocol has it. Raises TouchlineError: `undecodable` or `invalid_event`."""
    return reading(stream)(value)


def reading(stream: Stream) -> Callable[[bytes], AnyPost]:
    """How events of this stream are read from JSON; raises as `read_post`.

    The usual message and position are read straight into their types, in a third of the time. Whatever is not
    of that shape is read in the general way, which also knows what is wrong with it.
    """
    channel = stream.channel

    def chat(value: bytes) -> AnyPost:
        try:
            said = read_json_chat(value)
            at, data = said.client_ts, said.data
            at = None if at is None else read_time(at)
            return Chat(channel, data.text, said.sender, said.key, said.type, data.target, None, at)
        except NOT_USUAL:
            return read_any(stream, value)

    def location(value: bytes) -> AnyPost:
        try:
            seen = _location(value)
            at, data = seen.client_ts, seen.data
            return Location(
                channel,
                data.lat,
                data.lon,
                data.accuracy,
                data.heading,
                data.speed,
                seen.sender,
                seen.key,
                seen.type,
                None,
                None if at is None else read_time(at),
            )
        except NOT_USUAL:
            return read_any(stream, value)

    match stream.kind:
        case Kind.CHAT:
            return chat
        case Kind.LOCATION:
            return location
        case _:
            return partial(read_any, stream)


def read_any(stream: Stream, value: bytes) -> Post:
    """As `read_post`, in the general way."""
    posted = read_json(stream.kind, value)
    return Post(
        kind=stream.kind,
        channel=stream.channel,
        data=posted.data,
        type=posted.type,
        key=posted.key,
        sender=posted.sender,
        client_ts=read_time(posted.client_ts),
    )


#: Topic, key and value. A plain tuple: a named one would cost as much as checking the event.
Record = tuple[str, bytes, bytes]
