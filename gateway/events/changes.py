"""Edits and retractions that are posted: each is checked against who wrote what it is about."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, NamedTuple

import msgspec

from gateway.http.access import Caller
from history.changes import Finder, check_change, is_change
from kernel.errors import TouchlineError
from kernel.log.positions import Kind, Stream

#: An event's number in the request, and its JSON.
Item = tuple[int, bytes]
#: The events of a part that may not be posted, by their number.
Refusals = dict[int, TouchlineError]


class Look(NamedTuple):
    """How events are looked through before they are posted, where one of these marks is in them. Nearly all
    have none, so that many are looked at as one."""

    marks: tuple[bytes, ...]
    through: Callable[[Iterable[Item]], Awaitable[Refusals]]


class Numbers:
    """The messages of a room that are changed by a request: id -> number."""

    def __init__(self, *, anybodys: bool) -> None:
        self.anybodys = anybodys
        self.of: dict[str, int] = {}


class _ChangeRequest(msgspec.Struct):
    type: str | None = None
    data: Any = None


#: With an escape any word may be written otherwise.
_MARKS: Final = (b"edit", b"retract", b"\\u")
_change: Final = msgspec.json.Decoder(_ChangeRequest).decode


def looking(
    finder: Finder, stream: Stream, caller: Caller, lanes: int, *, numbers: Numbers | None = None
) -> Look | None:
    """How the events of a request are looked through; None where its sender may change everything. What they
    are about may be on any of the channel's lanes.

    `numbers` is for a room: it takes the numbers of the messages that are changed. Who leads the room, or
    speaks for others, changes all of them."""
    if stream.kind is not Kind.CHAT:
        return None
    anybodys = numbers is not None and numbers.anybodys
    if numbers is None and (caller.user is None or caller.speaks_for_others):
        return None
    user = caller.user or ""

    async def refusal(target: Any) -> TouchlineError | None:
        try:
            n = await check_change(finder, stream, target, user, lanes, anybodys=anybodys)
        except TouchlineError as error:
            return error
        if numbers is not None and n:
            numbers.of[target] = n
        return None

    async def look(items: Iterable[Item]) -> Refusals:
        targets = {number: change[0] for number, value in items if (change := _target(stream, value))}
        found = await asyncio.gather(*map(refusal, targets.values()))
        return {number: error for number, error in zip(targets, found, strict=True) if error is not None}

    return Look(_MARKS, look)


def _target(stream: Stream, value: bytes) -> tuple[Any] | None:
    """What an event is about, if it is about another one."""
    if not any(mark in value for mark in _MARKS):
        return None
    try:
        posted = _change(value)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None  # refused when it is made ready
    if not is_change(stream, posted.type):
        return None
    return (posted.data.get("target") if isinstance(posted.data, dict) else None,)


def target_of(stream: Stream, value: bytes) -> str | None:
    """The id of the event that an event changes; None where it changes none."""
    found = _target(stream, value)
    return found[0] if found is not None and isinstance(found[0], str) else None
