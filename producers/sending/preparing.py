"""How a post becomes a record for Kafka: checked, encoded, and sent nowhere if anything is wrong with it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import repeat
from typing import Any, Final

from control.channels.commands import check_about_channel
from kernel.errors import TouchlineError
from kernel.log.positions import Kind, Stream
from kernel.log.topics import MAX_EVENT_BYTES, TopicNames
from producers.posts import AnyPost, JsonChat, Record
from producers.sending.fast_path import json_chats_way, quick_ways
from schemas.catalog import Catalog
from schemas.checks import check_channel, check_ingest, invalid
from schemas.codec import Codec
from schemas.compiled import UNUSUAL
from schemas.ingest import default_type

_MAX_KEYS: Final = 10_000


class Preparing:
    """Turns posts into records, or says what is wrong with them."""

    def __init__(self, names: TopicNames, catalog: Catalog | None = None) -> None:
        self._encoders: Final[Mapping[Kind, tuple[str, Callable[[Mapping[str, Any]], bytes]]]] = {
            kind: (names.ingest[kind], Codec(f"ingest-{kind}", catalog).encode) for kind in Kind
        }
        self._keys: Final[dict[str, bytes]] = {}
        self.quick = quick_ways(names, catalog, self._keys)
        self._json_chats: Final = json_chats_way(catalog)
        self._control: Final = (names.changes, Codec("control", catalog).encode)

    def __call__(self, post: AnyPost) -> Record:
        """The record. Raises TouchlineError: `bad_channel`, `invalid_event` or `too_large`."""
        quick = self.quick.get(type(post))
        if quick is not None and (record := quick(post)) is not None:
            return record
        kind = post.kind
        type_ = post.type if post.type is not None else default_type(kind)
        topic, encode = self._encoders[kind]
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

    def json_chats(self, posts: Sequence[JsonChat], channel: str) -> Iterator[Record] | None:
        """The records of messages for this channel that came as JSON. None where one of them is not usual:
        then each is read in the general way, and this is called with it."""
        try:
            values = self._json_chats(posts)
        except (*UNUSUAL, TouchlineError):  # a time that is none: the general way says so, of that one alone
            return None
        if values is None:
            return None
        topic, _ = self._encoders[Kind.CHAT]
        key = self._keys.get(channel) or self._key(channel)
        # One by one, as they are sent: tuples that lie about would wake the garbage collector.
        return zip(repeat(topic), repeat(key), values)

    def lanes(self, channel: str, count: int) -> Record:
        """The command that tells the workers, and so the edges, over how many lanes a channel is spread.

        Raises `bad_request` where they would refuse it: on a topic that nobody answers the sender hears of
        no refusal.
        """
        check_about_channel(channel, "set_lanes", {"lanes": count})
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
