"""Scheduled posts: what may be scheduled, how it is kept, and what the commands about it do. Pure."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from control.commands.signed import opened, read_sealed
from control.entity.fold import Change, EntityFold, Input
from control.entity.structs import plain_type
from control.entity.types import EntityType, entity_of_pair, pair_key
from kernel.access.signing import Signer
from kernel.access.users import KEPT
from kernel.clock import to_rfc3339
from kernel.errors import TouchlineError
from kernel.log.positions import Kind, Stream, split_lane
from kernel.log.topics import topic_names
from kernel.settings.reading import Settings
from schemas.checks import CHANGES
from schemas.ingest import make_ingest, read_time

SCHEDULE: Final = "schedule"
UNSCHEDULE: Final = "unschedule"
COMMANDS: Final = frozenset({SCHEDULE, UNSCHEDULE})
MAX_ID: Final = 100
#: Of a channel, and of all channels together.
MOST: Final = 100
MOST_OF_ALL: Final = 50_000
#: Of one user: in a chat, where everybody may; and on all channels together.
MOST_IN_CHAT: Final = 20
MOST_OF_USER: Final = MOST_OF_ALL // 10
MAX_DATA_BYTES: Final = 16 * 1024
MAX_AHEAD_MS: Final = 30 * 24 * 3600 * 1000
#: So much earlier than now is taken for now: clocks differ, and requests take a moment.
_LATE_MS: Final = 60_000
#: Under this all of them are listed.
WAITS: Final = 1
_ID: Final = re.compile(rf"[A-Za-z0-9._-]{{1,{MAX_ID}}}").fullmatch


class Scheduled(msgspec.Struct, frozen=True, kw_only=True):
    """The value of a record in touchline.scheduled."""

    stream: str
    id: str
    #: When it is to be posted.
    at: int
    type: str
    #: The event's data, a JSON object as text.
    data: str
    sender: str | None = None
    #: The event's key: posted twice, it is one event.
    key: str = ""
    #: When the worker began to post it; 0: not yet.
    tried: int = 0
    revision: int = 0
    places: dict[str, int] = {}


class Wanted(msgspec.Struct, frozen=True):
    """A post as somebody asks for it."""

    at: str | int
    data: dict[str, Any]
    type: str | None = None


class _Said(msgspec.Struct, frozen=True):
    """What the commands say."""

    post: Scheduled


def scheduled_key(stream: Stream, id_: str) -> bytes:
    """The key of a record: all of a channel's lie together."""
    return pair_key(stream.channel, f"{stream.kind}:{id_}")


def scheduled_type(settings: Settings, *, listing: bool = False) -> EntityType[Scheduled]:
    """Scheduled posts; `listing` all there are, for whoever posts them."""

    def flags(_: bytes, __: Scheduled) -> int:
        return WAITS

    return plain_type(
        *(settings, "scheduled", topic_names(settings).scheduled, "scheduled", Scheduled),
        entity_of=entity_of_pair,
        flags=flags if listing else None,
    )


def check_stream(stream: Stream) -> Stream:
    """Raise `bad_request` where nothing can be scheduled on a stream."""
    if stream.kind is Kind.LOCATION:
        raise _bad("Nobody can say beforehand where they will be: only broadcasts and chats are scheduled.")
    if stream.channel.startswith(KEPT) or split_lane(stream.channel)[1] is not None:
        raise _bad(f"Nothing can be scheduled on {stream}: its channel is kept for the system, or is a lane.")
    return stream


def check_id(id_: str) -> str:
    """Raise `bad_request` where this can be no scheduled post's id."""
    if not _ID(id_):
        raise _bad(f"A scheduled post's id has 1 to {MAX_ID} characters: A-Z a-z 0-9 . _ and - are allowed.")
    return id_


def made_of(
    wanted: Wanted, stream: Stream, id_: str, *, sender: str | None, key: str, now_ms: int
) -> Scheduled:
    """The record of what somebody asks for. Raises `bad_request` or `invalid_event`."""
    check_stream(stream)
    at = read_time(wanted.at)
    if at is None or not now_ms - _LATE_MS <= at <= now_ms + MAX_AHEAD_MS:
        raise _bad("at is when it is to be posted, like 2026-07-19T19:00:00Z: from now to in thirty days.")
    event = make_ingest(stream.kind, wanted.type, wanted.data, sender=sender, key=key)
    if stream.kind is Kind.CHAT and event["type"] in CHANGES:
        raise _bad("Changes of what was said are made at once: they cannot be scheduled.")
    data = msgspec.json.encode(wanted.data)
    if len(data) > MAX_DATA_BYTES:
        raise _bad(f"data has {len(data):,} bytes: at most {MAX_DATA_BYTES:,} are kept until their time.")
    return Scheduled(
        stream=str(stream),
        id=check_id(id_),
        at=at,
        type=event["type"],
        data=data.decode(),
        sender=sender,
        key=key,
    )


def event_of(post: Scheduled) -> tuple[Stream, dict[str, Any]]:
    """The event that a post becomes. Raises `invalid_event`."""
    stream = Stream.parse(post.stream)
    data = msgspec.json.decode(post.data, type=dict[str, Any])
    return stream, make_ingest(
        stream.kind, post.type, data, sender=post.sender, key=post.key, client_ts=post.at
    )


def shown(post: Scheduled) -> dict[str, Any]:
    """A post as every way in shows it."""
    return {
        "id": post.id,
        "stream": post.stream,
        "at": to_rfc3339(post.at),
        "type": post.type,
        "data": msgspec.json.decode(post.data),
        "by": post.sender,
    }


def being_posted(post: Scheduled) -> TouchlineError:
    """The error for who wants to change what is on its way."""
    return TouchlineError(
        "ended", f"The scheduled post {post.id} is being posted: take the event back instead."
    )


StateOf = Callable[[bytes], Scheduled | None]


def folds(type_: EntityType[Scheduled], signer: Signer) -> Mapping[str, EntityFold[Any]]:
    """The fold of each command."""

    def fold(given: Input, state: StateOf) -> Sequence[Change[Scheduled]]:
        post = _opened(given, signer).post
        stream = check_stream(Stream.parse(post.stream))
        if stream.channel.encode() != given.key:
            raise _bad("The command is about another channel than it says.")
        key = scheduled_key(stream, check_id(post.id))
        before = state(key)
        if before is not None and before.tried:
            raise being_posted(before)
        if given.value["command"] == UNSCHEDULE:
            return [] if before is None else [Change(key, None)]
        return [Change(key, replace(post, tried=0))]

    how = EntityFold(type=type_, fold=fold, decides=_decides)
    return {SCHEDULE: how, UNSCHEDULE: how}


def _decides(given: Input) -> bytes:
    """The record of the post that a command is about."""
    try:
        post = msgspec.json.decode(read_sealed(given.value["arguments"]).said, type=_Said).post
        return scheduled_key(Stream.parse(post.stream), post.id)
    except (TouchlineError, msgspec.MsgspecError, ValueError):
        return bytes(given.key)  # refused when it is folded


def _opened(given: Input, signer: Signer) -> _Said:
    command, key = given.value["command"], given.key.decode("utf-8", "replace")
    try:
        return msgspec.json.decode(opened(command, key, given.value["arguments"], signer), type=_Said)
    except (msgspec.MsgspecError, ValueError) as error:
        raise _bad(f"This is about no scheduled post: {error}.") from None


def said_of(post: Scheduled) -> dict[str, Any]:
    """Arguments of the commands."""
    said: dict[str, Any] = msgspec.to_builtins(_Said(post))
    return said


def _bad(sentence: str) -> TouchlineError:
    return TouchlineError("bad_request", sentence)
