"""Who may write and read which messages of a room: by intervals of `seq`, and nothing else. Pure.

A membership begins with the event that adds somebody, and ends with the event that takes them out; both
belong to it. Every way to a room's messages asks here: publish, subscribe, rings, resume, history, search,
facets, SSE, poll, alerts, attachments.
"""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from kernel.log.positions import MAX_SEQ


class Interval(NamedTuple):
    """A time of somebody's in a room."""

    #: The seq of the event that added them.
    since: int
    #: The first event that they may read: `since` where they see the room from their joining on, else the
    #: room's own first one.
    first: int
    #: The seq of the event that ended it; None: they are in it.
    until: int | None = None


@dataclass(frozen=True, slots=True)
class Spans:
    """Which events of a stream somebody may read: ranges of `seq`, both ends included, in their order."""

    ranges: tuple[tuple[int, int], ...] = ()

    def __contains__(self, seq: int) -> bool:
        at = bisect_right(self.ranges, (seq, MAX_SEQ)) - 1
        return at >= 0 and seq <= self.ranges[at][1]

    @property
    def first(self) -> int:
        """The first event that may be read; beyond all where none may."""
        return self.ranges[0][0] if self.ranges else MAX_SEQ + 1

    @property
    def throughout(self) -> bool:
        """Whether it is one range up to whatever comes."""
        return len(self.ranges) == 1 and self.ranges[0][1] >= MAX_SEQ

    def skip(self, position: int) -> int:
        """Where to go on reading after `position`: what lies between may not be read."""
        for first, last in self.ranges:
            if position < last:
                return max(position, first - 1)
        return position


#: All of a stream; and none of it.
ALL = Spans(((0, MAX_SEQ),))
NOTHING = Spans()


def wrote_as_member(intervals: Iterable[Interval], seq: int) -> bool:
    """Whether a message at this `seq` was written, or may be, by somebody with these intervals."""
    return any(one.since < seq and (one.until is None or seq <= one.until) for one in intervals)


def readable(intervals: Iterable[Interval], born: int = 0) -> Spans:
    """What somebody with these intervals may read now. Who is out reads nothing, until they are back.

    `born` is the seq of the room's first event: a room may bear the name of one that is deleted, of which
    nobody in it may see anything.
    """
    known = sorted(one for one in intervals if one.since >= born)
    if not known or known[-1].until is not None:
        return NOTHING
    merged: list[tuple[int, int]] = []
    for first, last in sorted((max(i.first, born), MAX_SEQ if i.until is None else i.until) for i in known):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    return Spans(tuple(merged))


def may_read(intervals: Iterable[Interval], seq: int, born: int = 0) -> bool:
    """Whether somebody with these intervals may read the event at `seq` now."""
    return seq in readable(intervals, born)
