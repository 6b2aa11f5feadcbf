"""How many notifications a user has not read: what lies between two numbers of their stream."""

from typing import Final

import msgspec

from history.rooms import Reader
from kernel.access.users import notify_channel
from kernel.log.positions import MAX_SEQ, Kind, Stream


class _Numbered(msgspec.Struct):
    n: int = 0


_number_of: Final = msgspec.json.Decoder(_Numbered).decode


def notify_stream(user: str) -> Stream:
    """Where a user is told things."""
    return Stream(Kind.BROADCAST, notify_channel(user))


async def unread_notifications(history: Reader, user: str, read: int) -> int:
    """How many there are behind the place that the user has read. Raises `unavailable`."""
    stream = notify_stream(user)
    last = await history.read(stream, before=MAX_SEQ, limit=1)
    if not last.seqs or last.seqs[-1] <= read:
        return 0
    first = await history.read(stream, after=read, limit=1)
    if not first.seqs:
        return 0
    return max(0, _number_of(last.events[-1]).n - _number_of(first.events[0]).n) + 1
