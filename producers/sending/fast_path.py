"""The usual message and the usual position made into records straight, at half the cost of the general way.

What needs a second look (an edit, more fields, anything that may be wrong) gives way: None, and
`Preparing` does it. So nothing is refused here, and a test holds both ways to the same records.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from kernel.log.positions import Kind
from kernel.log.topics import MAX_EVENT_BYTES, TopicNames
from producers.posts import Chat, JsonChat, Location, Record
from schemas.catalog import Catalog
from schemas.checks import EARLIEST_MS, LATEST_MS, MAX_KEY, MAX_SENDER
from schemas.codec import Codec
from schemas.combining_marks import MOST, too_many
from schemas.compiled import UNUSUAL
from schemas.ingest import read_time

Quick = Callable[[Any], Record | None]
_FARTHEST: Final = 1e9
#: What nearly all events of a kind have in common.
_USUAL: Final[Mapping[Kind, Mapping[str, Any]]] = MappingProxyType(
    {
        Kind.CHAT: {"type": "message", "target": None, "extra": None},
        Kind.LOCATION: {"type": "position", "extra": None},
    }
)


def quick_ways(names: TopicNames, catalog: Catalog | None, keys: Mapping[str, bytes]) -> Mapping[type, Quick]:
    """A way for each type that has one; `keys` are the channels that have been seen, as Kafka's keys."""
    ways: dict[type, Quick] = {}
    for type_, kind, make in ((Chat, Kind.CHAT, _chat), (Location, Kind.LOCATION, _location)):
        encode = Codec(f"ingest-{kind}", catalog).flat(_USUAL[kind])
        if encode is not None:
            ways[type_] = make(encode, names.ingest[kind], keys)
    return ways


def _chat(encode: Callable[..., bytes], topic: str, keys: Mapping[str, bytes]) -> Quick:
    def quick(post: Chat) -> Record | None:
        key, sender, text, at = post.key, post.sender, post.text, post.client_ts
        try:
            if (
                post.type == "message"
                and text
                and (len(text) <= MOST or not too_many(text))
                and post.target is None
                and post.extra is None
                and (key is None or 0 < len(key) <= MAX_KEY)
                and (sender is None or 0 < len(sender) <= MAX_SENDER)
                and (at is None or EARLIEST_MS <= at < LATEST_MS)
            ):
                value = encode(key, sender, at, text)
                if len(value) <= MAX_EVENT_BYTES:
                    return topic, keys[post.channel], value
        except UNUSUAL:
            pass
        return None

    return quick


def json_chats_way(
    catalog: Catalog | None,
) -> Callable[[Sequence[JsonChat]], list[bytes] | None]:
    """The values of messages that came as JSON, if all of them are usual: they never become a `Chat`. None
    and any of UNUSUAL from it: some of them are not."""
    encode = Codec(f"ingest-{Kind.CHAT}", catalog).flat(_USUAL[Kind.CHAT])

    def quick(posts: Sequence[JsonChat]) -> list[bytes] | None:
        if encode is None:
            return None
        values: list[bytes] = []
        add = values.append
        for said in posts:
            key, sender, at, data = said.key, said.sender, said.client_ts, said.data
            text = data.text
            if (
                said.type == "message"
                and text
                and (len(text) <= MOST or not too_many(text))
                and data.target is None
                and (key is None or 0 < len(key) <= MAX_KEY)
                and (sender is None or 0 < len(sender) <= MAX_SENDER)
                and (at is None or EARLIEST_MS <= (at := read_time(at) or 0) < LATEST_MS)
            ):
                # No longer than MAX_EVENT_BYTES: what it encodes has not so many characters.
                add(encode(key, sender, at, text))
            else:
                return None
        return values

    return quick


def _location(encode: Callable[..., bytes], topic: str, keys: Mapping[str, bytes]) -> Quick:
    def quick(post: Location) -> Record | None:
        key, sender, at, lat, lon = post.key, post.sender, post.client_ts, post.lat, post.lon
        accuracy, heading, speed = post.accuracy, post.heading, post.speed
        try:
            if (
                post.type == "position"
                and post.extra is None
                and -90 <= lat <= 90
                and -180 <= lon <= 180
                and (accuracy is None or 0 <= accuracy < _FARTHEST)
                and (heading is None or 0 <= heading <= 360)
                and (speed is None or 0 <= speed < _FARTHEST)
                and (key is None or 0 < len(key) <= MAX_KEY)
                and (sender is None or 0 < len(sender) <= MAX_SENDER)
                and (at is None or EARLIEST_MS <= at < LATEST_MS)
            ):
                value = encode(key, sender, at, lat, lon, accuracy, heading, speed)
                return topic, keys[post.channel], value
        except UNUSUAL:
            pass
        return None

    return quick
