"""One subscription, lanes included: what was delivered, what is a double, where something is missing."""

from collections.abc import Mapping
from enum import Enum, auto
from typing import Any, NamedTuple

from kernel.log.positions import split_lane
from schemas.events import Event


class Start(NamedTuple):
    """Where to begin in a stream: live only, after a sequence number, or with the last events; and whether it
    is told who comes and goes."""

    after: int | None = None
    last: int | None = None
    #: Whether to be told what reactions and votes come to.
    reactions: bool = False
    members: bool = False


class Verdict(Enum):
    """What to do with an event."""

    DELIVER = auto()
    DOUBLE = auto()
    #: Something before it is missing: ask for the stream again.
    HOLE = auto()


class _Position:
    """The place in one feed: the stream itself, or a lane of it."""

    __slots__ = ("asked_again_at", "cursor")

    def __init__(self, cursor: int | None = None) -> None:
        #: The last `seq` that was delivered; None until the place is known.
        self.cursor = cursor
        #: The cursor at which a hole was asked for again: the second time it is told as a gap.
        self.asked_again_at: int | None = None


class Subscription:
    """A stream as its reader has it."""

    def __init__(self, stream: str, start: Start) -> None:
        self.stream, self._start = stream, start
        #: The stream's last `seq` as the edge last told.
        self.head = 0
        #: How many events are still to come up to there; None where the edge has not told.
        self.behind: int | None = None
        #: The reader is slower than the stream, and what comes is asked for again later.
        self.paused = False
        #: Failed tries in a row, and when the next is due.
        self.attempt = 0
        self.retry_at: float | None = None
        self._own = _Position(start.after)
        self._lanes: dict[str, _Position] = {}
        # Of a location only the latest counts: edges leave out older ones, and say nothing of it.
        self._conflates = stream.startswith("location:")

    @property
    def cursor(self) -> int | None:
        """The last `seq` that was delivered of the stream itself."""
        return self._own.cursor

    def request(self, number: int) -> dict[str, Any]:
        """The request that asks for this stream from where it stands."""
        asked: dict[str, Any] = {"id": number, "op": "subscribe", "stream": self.stream}
        if self._own.cursor is not None:
            asked["after"] = self._own.cursor
        elif self._start.last is not None:
            asked["last"] = self._start.last
        if self._start.reactions:
            asked["reactions"] = True
        if self._start.members:
            asked["members"] = True
        lanes = {lane: place.cursor for lane, place in self._lanes.items() if place.cursor is not None}
        return {**asked, "cursors": lanes} if lanes else asked

    def subscribed(self, head: int, lanes: Mapping[str, int], behind: int | None) -> None:
        """The edge took the subscription, and told the stream's head, and where it begins in each lane."""
        self.head, self.behind, self.attempt, self.retry_at = head, behind, 0, None
        # Live only: from here on. The last n of an empty stream: from its beginning on.
        if self._own.cursor is None and (self._start.last is None or head == 0):
            self._own.cursor = head
        for lane, cursor in lanes.items():
            self._lanes.setdefault(lane, _Position(cursor))

    @property
    def caught_up(self) -> bool:
        """Whether nothing that was missed is still to come. Of locations only the latest counts."""
        return (
            self.paused or self._conflates or (self._own.cursor is not None and self._own.cursor >= self.head)
        )

    def take(self, event: Event) -> Verdict:
        """What to do with an event. A hole is asked for again once; the caller subscribes anew."""
        place = self._position(event.stream)
        if place.cursor is not None and event.seq <= place.cursor:
            return Verdict.DOUBLE
        if self.hole_before(event) is not None and place.asked_again_at != place.cursor:
            place.asked_again_at = place.cursor
            return Verdict.HOLE
        return Verdict.DELIVER

    def hole_before(self, event: Event) -> int | None:
        """The cursor behind which something is missing before this event; None where nothing is."""
        cursor = self._position(event.stream).cursor
        missing = (
            not self._conflates and cursor is not None and event.prev is not None and event.prev > cursor
        )
        return cursor if missing else None

    def delivered(self, event: Event) -> None:
        self._position(event.stream).cursor = event.seq
        if self.behind:
            self.behind -= 1

    def skip_to(self, stream: str, seq: int) -> bool:
        """The edge said that nothing below `seq` is to be had any more; whether that is news."""
        place = self._position(stream)
        if place.cursor is not None and seq - 1 <= place.cursor:
            return False
        place.cursor = seq - 1
        return True

    def _position(self, feed: str) -> _Position:
        return self._own if feed == self.stream else self._lanes.setdefault(feed, _Position())


def whole_of(stream: str) -> str | None:
    """The stream that a lane is a part of: a channel that is spread over lanes is watched as one."""
    whole, lane = split_lane(stream)
    return None if lane is None else whole
