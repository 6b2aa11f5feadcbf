"""Edits and retractions that are posted: each is checked against who wrote what it is about."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from gateway.http.access import Caller
from history.changes import Change, Finder, Polls, check_change, check_no_poll, is_change, must_be_there
from kernel.errors import TouchlineError
from kernel.log.positions import Kind, Stream

T = TypeVar("T")
#: An event's number in the request, and its JSON.
Item = tuple[int, bytes]
#: The events of a part that may not be posted, by their number.
Refusals = dict[int, TouchlineError]


class Look(NamedTuple):
    """How events are looked through before they are posted, where one of these marks is in them. Nearly all
    have none, so that many are looked at as one."""

    marks: tuple[bytes, ...]
    through: Callable[[Iterable[Item]], Awaitable[Refusals]]


#: Takes a read from its user's budget. Raises RateLimitedError.
Take = Callable[[], None]


async def refusals_of(
    asked: Mapping[int, T], refusal: Callable[[T], Awaitable[TouchlineError | None]]
) -> Refusals:
    """Why events may not be posted, by what is asked about each; a few at once: each may be read whole."""
    found: Refusals = {}
    numbers = list(asked)
    for first in range(0, len(numbers), _AT_ONCE):
        some = numbers[first : first + _AT_ONCE]
        errors = await asyncio.gather(*(refusal(asked[number]) for number in some))
        found |= {number: error for number, error in zip(some, errors, strict=True) if error is not None}
    return found


class Numbers:
    """The messages of a room that are changed by a request: id -> number."""

    def __init__(self, *, anybodys: bool) -> None:
        self.anybodys = anybodys
        self.of: dict[str, int] = {}


class _ChangeRequest(msgspec.Struct):
    type: str | None = None
    data: Any = None


#: Events that are looked up at once: each may be of a megabyte.
_AT_ONCE: Final = 8
#: What moderators do to others' messages. With an escape any word may be written otherwise.
OF_OFFICE: Final = (b"retract", b'"pin"', b'"unpin"', b"\\u")
_MARKS: Final = (b"edit", *OF_OFFICE)
_change: Final = msgspec.json.Decoder(_ChangeRequest).decode


def looking(
    finder: Finder,
    stream: Stream,
    caller: Caller,
    lanes: int,
    *,
    take: Take,
    numbers: Numbers | None = None,
) -> Look | None:
    """How the events of a request are looked through. What they are about may be on any of the channel's
    lanes: to look there is a read of their sender's (`take`).

    `numbers` is for a room: it takes the numbers of the messages that are changed. Who leads the room, or
    speaks for others, changes all of them."""
    if stream.kind is not Kind.CHAT:
        return None
    anybodys = changes_all(caller) if numbers is None else numbers.anybodys
    user = caller.user or ""

    async def refusal(change: Change) -> TouchlineError | None:
        if numbers is None and anybodys and not must_be_there(change.type):
            return None
        try:
            take()
            n = await check_change(finder, stream, change, user, lanes, anybodys=anybodys)
        except TouchlineError as error:
            return error
        if numbers is not None and n:
            numbers.of[change.target] = n
        return None

    async def look(items: Iterable[Item]) -> Refusals:
        changes = {n: change for n, value in items if (change := _change_of(stream, value))}
        return await refusals_of(changes, refusal)

    return Look(OF_OFFICE if numbers is None and anybodys else _MARKS, look)


def changes_all(caller: Caller) -> bool:
    """Whether a caller may change whatever was said in a channel that is no room."""
    return caller.user is None or caller.speaks_for_others


def looking_for_polls(polls: Polls, stream: Stream) -> Look | None:
    """How edits of polls are found, whoever posts them."""
    if stream.kind is not Kind.CHAT:
        return None

    async def look(items: Iterable[Item]) -> Refusals:
        found: Refusals = {}
        for number, value in items:
            change = _change_of(stream, value)
            try:
                if change is not None:
                    check_no_poll(polls, stream, change.type, change.target)
            except TouchlineError as error:
                found[number] = error
        return found

    return Look(_MARKS, look)


def _change_of(stream: Stream, value: bytes) -> Change | None:
    """What an event is about, if it is about another one."""
    if not any(mark in value for mark in _MARKS):
        return None
    try:
        posted = _change(value)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None  # refused when it is made ready
    if not is_change(stream, posted.type):
        return None
    return Change(posted.data.get("target") if isinstance(posted.data, dict) else None, posted.type)


def target_of(stream: Stream, value: bytes) -> str | None:
    """The id of the event that an event changes; None where it changes none."""
    found = _change_of(stream, value)
    return found.target if found is not None and isinstance(found.target, str) else None
