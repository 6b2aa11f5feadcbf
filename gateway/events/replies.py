"""Replies that are posted: each is checked to be to an event of its stream that its author may read."""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from control.rooms.membership import ALL, Spans
from gateway.events.changes import Item, Look, Refusals, Take, refusals_of
from history.replies import FIELD, Finder, check_reply
from kernel.errors import TouchlineError
from kernel.log.positions import Kind, Stream

_MARKS: Final = (FIELD.encode(), b"\\u")


class _Event(msgspec.Struct):
    data: Any = None


_posted: Final = msgspec.json.Decoder(_Event).decode


def looking(finder: Finder, stream: Stream, lanes: int, readable: Spans = ALL, *, take: Take) -> Look | None:
    """How the events of a request are looked through; None where none of them can be a reply. To look up what
    one answers is a read of its sender's (`take`)."""
    if stream.kind is not Kind.CHAT:
        return None

    async def refusal(reply_to: Any) -> TouchlineError | None:
        try:
            take()
            await check_reply(finder, stream, reply_to, lanes=lanes, readable=readable)
        except TouchlineError as error:
            return error
        return None

    async def look(items: Iterable[Item]) -> Refusals:
        named = {number: given for number, value in items if (given := _reply_to(value))}
        return await refusals_of({number: given[0] for number, given in named.items()}, refusal)

    return Look(_MARKS, look)


def _reply_to(value: bytes) -> tuple[Any] | None:
    """What an event answers, if it says that it answers something."""
    if not any(mark in value for mark in _MARKS):
        return None
    try:
        data = _posted(value).data
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None  # refused when it is made ready
    said = data.get(FIELD) if isinstance(data, dict) else None
    return None if said is None else (said,)
