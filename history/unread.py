"""How many notifications a user has not read: what lies between two numbers of their stream."""

from typing import Final

import msgspec

from control.inbox.tally import Tally
from control.inbox.unread import ReadUpTo
from history.rooms import Reader
from kernel.access.users import notify_channel
from kernel.log.positions import Kind, Stream


class _Numbered(msgspec.Struct):
    n: int = 0


_number_of: Final = msgspec.json.Decoder(_Numbered).decode


def notify_stream(user: str) -> Stream:
    """Where a user is told things."""
    return Stream(Kind.BROADCAST, notify_channel(user))


async def unread_notifications(history: Reader, user: str, tally: Tally | None, read: ReadUpTo) -> int:
    """How many there are behind the place that the user has read, by what their stream has come to.

    History is asked only where the number at that place was not taken down. Raises `unavailable`."""
    if tally is None or tally.seq <= read.seq:
        return 0
    n = read.n or (tally.n_at(read.seq) if read.seq else 0)
    if n is None:
        first = await history.read(notify_stream(user), after=read.seq, limit=1)
        n = _number_of(first.events[0]).n - 1 if first.seqs else tally.n
    return max(0, tally.n - n)
