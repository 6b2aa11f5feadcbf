"""What a producer posts: one type for each kind of event; and how it becomes a record for Kafka."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final

import msgspec

from kernel.errors import TouchlineError
from kernel.positions import Kind, Stream
from kernel.topics import MAX_EVENT_BYTES, TopicNames
from schemas.catalog import Catalog
from schemas.checks import check_channel, check_ingest, invalid
from schemas.codec import Codec
from schemas.ingest import default_type, read_json, read_time, write_data

_MAX_KEYS: Final = 10_000


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


def read_post(stream: Stream, value: bytes) -> Post:
    """An event in JSON, as the protocol has it. Raises TouchlineError: `undecodable` or `invalid_event`."""
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


class Preparing:
    """Turns posts into records, or says what is wrong with them."""

    def __init__(self, names: TopicNames, catalog: Catalog | None = None) -> None:
        self._ways: Final[Mapping[Kind, tuple[str, Callable[[Mapping[str, Any]], bytes]]]] = {
            kind: (names.ingest[kind], Codec(f"ingest-{kind}", catalog).encode) for kind in Kind
        }
        self._keys: Final[dict[str, bytes]] = {}
        self._control: Final = (names.control, Codec("control", catalog).encode)

    def __call__(self, post: AnyPost) -> Record:
        """The record. Raises TouchlineError: `bad_channel`, `invalid_event` or `too_large`."""
        kind = post.kind
        type_ = post.type if post.type is not None else default_type(kind)
        topic, encode = self._ways[kind]
        try:
            key = self._keys.get(post.channel) or self._key(post.channel)
            event = {
                "type": type_,
                "key": post.key,
                "sender": post.sender,
                "client_ts": post.client_ts,
                "data": post.written(),
            }
            check_ingest(kind, event)
            value = encode(event)
        except (TypeError, ValueError, AttributeError) as error:
            raise invalid(f"A field has a value of a type that it cannot have: {error}.") from error
        if len(value) > MAX_EVENT_BYTES:
            raise TouchlineError(
                "too_large",
                f"The event for {Stream(kind, post.channel)} has {len(value)} bytes;"
                f" at most {MAX_EVENT_BYTES} are allowed.",
            )
        return topic, key, value

    def lanes(self, channel: str, count: int) -> Record:
        """The command that tells the workers, and so the edges, over how many lanes a channel is spread."""
        topic, encode = self._control
        command = {
            "command": "set_lanes",
            "id": None,
            "actor": None,
            "at": None,
            "arguments": f'{{"lanes":{count}}}',
        }
        return topic, channel.encode(), encode(command)

    def _key(self, channel: str) -> bytes:
        check_channel(channel)
        if len(self._keys) >= _MAX_KEYS:
            self._keys.clear()
        return self._keys.setdefault(channel, channel.encode())
