"""How the events of a request become records: what each says is read once, and the usual ones all at once."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from control.rooms.state import is_room
from gateway.context import Context
from gateway.events.changes import Item, Refusals
from gateway.http.access import Caller
from kernel.access.users import KEPT, SENDERS, TYPES, check_post
from kernel.errors import TouchlineError
from kernel.log.positions import Kind, Stream, spread
from kernel.log.recent import RecentKeys
from producers.posts import NOT_USUAL, AnyPost, JsonChat, Record, read_json_chat, reading
from schemas.ingest import DEFAULT_TYPE

_MESSAGE: Final = DEFAULT_TYPE[Kind.CHAT]


class Asked(NamedTuple):
    """What is the same for all events of a request."""

    stream: Stream
    caller: Caller
    idempotency_key: str | None
    lanes: int
    refusals: Refusals
    recent: RecentKeys
    #: Events that were posted here before: what lies where their records do never becomes one.
    again: set[int]


class Prepare:
    """Makes records of the events of a request, part by part: `read` is told of a part before it is sent."""

    def __init__(self, context: Context, asked: Asked) -> None:
        self._asked, self._make = asked, context.producer.prepare
        self._limit = context.settings.gateway.max_event_bytes
        #: Whether events came together; whoever reads the body says so.
        self.several = True
        self._signs, self._kept = is_room(asked.stream), asked.stream.channel.startswith(KEPT)
        self._read, self._here = reading(asked.stream), str(asked.stream)
        #: What events say, from this number on, where that is the usual.
        self._first, self._posts = 0, list[JsonChat | None]()

    def read(self, first: int, part: Sequence[bytes]) -> Sequence[bytes]:
        """Read a part, whose first event has this number. Returns those of its events that may be about
        others: no position is, and no message that has a text and nothing else."""
        self._first, self._posts = first, []
        if self._asked.stream.kind is not Kind.CHAT:
            return ()
        try:
            self._posts = list(map(read_json_chat, part))
        except NOT_USUAL:
            self._posts = [_usual_or_none(value) for value in part]
        return [
            value
            for value, said in zip(part, self._posts, strict=True)
            if said is None or said.type != _MESSAGE
        ]

    def together(self, part: Sequence[bytes]) -> Iterator[Record] | None:
        """The records of the part that was read last, whose events are all usual messages. None where one is
        not: then each is prepared by itself, which knows what is wrong with it."""
        asked, first, posts = self._asked, self._first, self._posts
        if (
            not posts
            or asked.refusals
            or asked.lanes
            or self._kept
            or None in posts
            or max(map(len, part)) > self._limit
        ):
            return None
        usual: list[JsonChat] = posts  # type: ignore[assignment]  # none of them is None
        user, key, others = asked.caller.user, asked.idempotency_key, asked.caller.speaks_for_others
        for number, said in enumerate(usual, first):
            sender = said.sender
            if user is not None and sender != user:
                if sender is None:
                    sender = said.sender = user
                elif not others:
                    return None
            if sender is not None and sender.startswith(SENDERS):
                return None
            if key is not None and said.key is None:
                said.key = self._key(key, number)
        records = self._make.json_chats(usual, asked.stream.channel)
        if records is not None:
            again = asked.recent.again_of(self._here, [said.key for said in usual])
            asked.again.update([first + place for place in again])
        return records

    def __call__(self, item: Item) -> Record:
        """The record of one event. Raises TouchlineError where it may not be posted."""
        (number, value), asked = item, self._asked
        stream, caller = asked.stream, asked.caller
        if number in asked.refusals:
            raise asked.refusals.pop(number)
        if len(value) > self._limit:
            raise TouchlineError("too_large", f"The event has more than {self._limit} bytes.")
        said = self._said(number)
        post: AnyPost | JsonChat = self._read(value) if said is None else said
        sender = post.sender
        if caller.user is not None and sender != caller.user:
            if sender is not None and not caller.speaks_for_others:
                raise TouchlineError("forbidden", "sender is not the token's user.")
            sender = post.sender = sender or caller.user
        # Asked here first: a call costs as much as all three.
        if self._kept or post.type in TYPES or (sender is not None and sender.startswith(SENDERS)):
            check_post(stream.channel, sender, post.type, signs=self._signs)
        key, channel, here = post.key, stream.channel, self._here
        if key is None and asked.idempotency_key is not None:
            key = post.key = self._key(asked.idempotency_key, number)
        if asked.lanes:
            channel = spread(stream, asked.lanes, sender=sender, key=key, turn=number).channel
            here = f"{stream.kind}:{channel}"
        if key is not None and asked.recent.again(here, key):
            asked.again.add(number)
        if isinstance(post, JsonChat):
            if (records := self._make.json_chats((post,), channel)) is not None:
                return next(records)
            post = self._read(value)  # it is not so usual after all
            post.sender, post.key = sender, key
        post.channel = channel
        return self._make(post)

    def _key(self, given: str, number: int) -> str:
        """Events that came together need keys of their own: with one key they would be one event."""
        return f"{given}/{number}" if self.several else given

    def _said(self, number: int) -> JsonChat | None:
        place = number - self._first
        return self._posts[place] if 0 <= place < len(self._posts) else None


def _usual_or_none(value: bytes) -> JsonChat | None:
    try:
        return read_json_chat(value)
    except NOT_USUAL:
        return None
