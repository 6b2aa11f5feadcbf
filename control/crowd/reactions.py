"""What lies on touchline.reactions: applause, reactions to events, votes; and what roles say of polls. Pure.

Values are Avro, or JSON of the same fields, as any client of Kafka may write it. What only roles may say
(sums, polls, their ends, retractions) counts with their signature (`kernel.access.signing`) only.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec

from control.crowd.emoji import check_reaction
from kernel.access.signing import Signer
from kernel.errors import TouchlineError
from kernel.log.positions import Stream, kind_of_id, split_lane
from kernel.log.records import Headers
from schemas.codec import Undecodable
from schemas.ingest import read_time

REACT: Final = "react"
VOTE: Final = "vote"
POLL: Final = "poll"
CLOSE: Final = "close"
RETRACT: Final = "retract"
#: What roles say, and nobody else.
OF_ROLES: Final = frozenset({POLL, CLOSE, RETRACT})
#: Of applause: what one person may mean by one word, and what a door may have added up.
MAX_N: Final = 100
MAX_SUM: Final = 1_000_000_000
MAX_OPTIONS: Final = 20
MAX_BYTES: Final = 16 * 1024
_MAX_NAME: Final = 128
#: For what records are signed; no kind of stream has this name.
_KIND: Final = "reactions"
_ID: Final = re.compile(r"[0-9]{1,40}").fullmatch
_AVRO: Final = 0

Said = dict[str, Any]


class _Json(msgspec.Struct, kw_only=True):
    """The same as JSON. Fields that are not known are ignored."""

    stream: str
    what: str = REACT
    with_: str = msgspec.field(default="", name="with")
    target: str | None = None
    user: str | None = None
    off: bool = False
    n: int = 1
    option: int = -1
    key: str | None = None
    client_ts: str | int | None = None
    extra: str | None = None


_json: Final = msgspec.json.Decoder(_Json).decode


def made(
    stream: Stream,
    what: str,
    *,
    with_: str = "",
    target: str | None = None,
    user: str | None = None,
    off: bool = False,
    n: int = 1,
    option: int = -1,
    key: str | None = None,
    client_ts: int | None = None,
    extra: str | None = None,
) -> Said:
    """The value of a record."""
    return {
        "stream": str(stream), "what": what, "with": with_, "target": target, "user": user, "off": off,
        "n": n, "option": option, "key": key, "client_ts": client_ts, "extra": extra,
    }  # fmt: skip


def read_reaction(value: bytes, decode: Callable[[bytes], Said]) -> Said:
    """What a record says, with checked fields. Raises `undecodable`, `too_large`, `bad_request`."""
    if len(value) > MAX_BYTES:
        raise TouchlineError("too_large", f"The record has {len(value)} bytes; {MAX_BYTES} are allowed.")
    if not value:
        raise Undecodable("undecodable", "The value is empty.")
    said = decode(value) if value[0] == _AVRO else _from_json(value)
    check_said(said)
    return said


def _from_json(value: bytes) -> Said:
    try:
        read = _json(value)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise Undecodable(
            "undecodable",
            f"The value is neither Avro of the schema reaction nor JSON of its fields: {error}.",
        ) from None
    said: Said = {name: getattr(read, name) for name in _Json.__struct_fields__}
    said["with"] = said.pop("with_")
    said["client_ts"] = read_time(read.client_ts)
    return said


def check_said(said: Mapping[str, Any]) -> None:
    """Raise `bad_request` where the fields do not fit what is said. Who may say it is asked elsewhere."""
    user, target, what, key = said["user"], said["target"], said["what"], said["key"]
    if user is not None and not 0 < len(user) <= _MAX_NAME:
        raise _bad(f"user has {len(user)} characters: it has 1 to {_MAX_NAME}.")
    if key is not None and not 0 < len(key) <= _MAX_NAME:
        raise _bad(f"key has {len(key)} characters: it has 1 to {_MAX_NAME}.")
    if target is not None and _ID(target) is None:
        raise _bad(f"target is {target[:60]!r}: it is an event's id, a string of digits.")
    if what == REACT:
        if not 1 <= said["n"] <= MAX_SUM:
            raise bad_n(said["n"])
        check_reaction(said["with"])
        if target is None:
            if said["off"]:
                raise _bad("Applause cannot be taken back: off is for reactions to an event.")
        elif said["n"] != 1:
            raise _bad("n is for applause: a reaction to an event counts once a user.")
    elif what == VOTE:
        _check_vote(target, user, said["option"])
    elif what not in OF_ROLES:
        raise _bad(f"what is {what[:40]!r}: it is react or vote.")
    elif target is None:
        raise _bad(f"What is to {what} has to be named: target is missing.")


def _check_vote(target: str | None, user: str | None, option: int) -> None:
    if target is None or user is None:
        raise _bad("A vote names its poll, and is somebody's.")
    if not 0 <= option < MAX_OPTIONS:
        raise _bad(f"option is {option}: options count from 0.")


def bad_n(n: int) -> TouchlineError:
    """The refusal of applause that is no number of times."""
    return _bad(f"n is {n}: one person applauds 1 to {MAX_N} times at once.")


@lru_cache(maxsize=10_000)
def stream_of(name: str) -> Stream:
    """The stream that a record names, without a lane. Raises `bad_request`."""
    try:
        stream = Stream.parse(name)
    except ValueError as error:
        raise _bad(f"{error}.") from None
    return Stream(stream.kind, split_lane(stream.channel)[0])


def check_target(stream: Stream, target: str) -> None:
    """Raise `not_found` where no event of this kind of stream can have that id."""
    try:
        right = kind_of_id(target) is stream.kind
    except ValueError:
        right = False
    if not right:
        raise no_event(target, stream)


def no_event(target: str, stream: object) -> TouchlineError:
    """There is none, or none to react to: it may have been taken back."""
    return TouchlineError("not_found", f"There is no event {target[:40]} on {stream}.")


def no_poll(target: str, stream: object) -> TouchlineError:
    """There is none."""
    return TouchlineError("not_found", f"There is no poll {target[:40]} on {stream}.")


def signed_headers(signer: Signer, channel: str, value: bytes) -> Headers | None:
    """The headers of what a role says; none without a secret."""
    return signer.headers(_KIND, channel, value)


def is_signed(signer: Signer, channel: str, value: bytes, headers: Headers | None) -> bool:
    """Whether a role says it."""
    return signer.signed(_KIND, channel, value, headers)


def _bad(sentence: str) -> TouchlineError:
    return TouchlineError("bad_request", sentence)
