"""How many messages of a room somebody has not read, and how many of these mention them. Pure.

Numbers are dense, so it is subtraction: all numbers behind the last one that was read, in the times of which
the user may read, without those that were taken back. Whoever posts has read up to there, so their own
messages never lie behind that.
"""

from bisect import bisect_right
from typing import NamedTuple

from control.inbox.tally import Tally
from control.rooms.membership import Spans


class ReadUpTo(NamedTuple):
    """Up to where a user has read a stream, and the number of the last message there."""

    seq: int = 0
    n: int = 0


class Unread(NamedTuple):
    """What a row says of a room."""

    unread: int
    mentions: int
    #: Up to where the user has read, their own messages counted.
    read: int
    #: Whether it rests on more than is known here: then it is to be counted by the log.
    short: bool = False


def counts(tally: Tally | None, spans: Spans, user: str, read: ReadUpTo) -> Unread:
    """A user's counts, by what they have read on whatever device."""
    if tally is None:
        return Unread(0, 0, read.seq)
    post = tally.post_of(user)
    seq, n = (read.seq, read.n) if post is None else (max(read.seq, post.seq), max(read.n, post.n))
    unread = mentions = 0
    for first, last in spans.ranges:
        low, high = tally.n_between(first, last)
        low = max(low, n)
        if high <= low:
            continue
        gone = tally.retracted
        unread += high - low - (bisect_right(gone, high) - bisect_right(gone, low))
        mentions += sum(1 for one in tally.mentions if low < one.n <= high and user in one.users)
    short = unread > 0 and n < max(tally.retracted_from, tally.mentions_from)
    return Unread(unread, mentions, seq, short)
