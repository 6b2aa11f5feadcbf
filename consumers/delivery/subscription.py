"""A viewer's way through a stream: from a cursor, through history and ring, to the head, where it is live.

There is one path for whoever is not at the head, whatever the reason: they have just come, come back, or read
slowly. `advance` writes as much as the socket takes, and is called again when there is room, or when a page
of history has come. docs/protocol.md §5.
"""

from bisect import bisect_right
from collections.abc import Callable
from typing import Final, Protocol

from msgspec import UNSET

from consumers.delivery.broadcast import Outlet
from consumers.delivery.events import Events
from consumers.delivery.feeds import Feed
from consumers.delivery.hub import LOCATION_RING, Audience
from consumers.delivery.room_view import RoomView
from consumers.protocol.messages import AnyReply, Gap, Subscribe, Subscribed
from kernel.errors import TouchlineError

CHUNK: Final = 64 * 1024
#: More than there can be: somewhere they would have to be counted first.
_UNCOUNTED: Final = 1 << 53


class Page:
    """A piece of a stream's past as frames: complete above `start`, up to `end`."""

    __slots__ = ("bytes", "end", "events", "feed", "missing_below", "start")

    def __init__(
        self,
        feed: Feed,
        *,
        start: int,
        end: int,
        seqs: list[int],
        frames: list[bytes],
        missing_below: int = 0,
    ) -> None:
        self.feed = feed
        self.start, self.end = start, end
        self.events = Events(seqs, frames)
        self.bytes = sum(map(len, frames))
        #: Events between `start` and here are gone for good; 0: none are.
        self.missing_below = missing_below

    def after(self, position: int) -> Events:
        """Its events above a position."""
        seqs, frames = self.events.seqs, self.events.frames
        first = bisect_right(seqs, position)
        return Events(seqs[first:], frames[first:])


class Backfill(Protocol):
    """Where pages come from. Each answers at once, or returns None and calls `wake` when it can."""

    def page(self, feed: Feed, after: int, wake: Callable[[TouchlineError | None], None]) -> Page | None: ...

    def start_of_last(
        self, feed: Feed, count: int, wake: Callable[[TouchlineError | None], None]
    ) -> int | None: ...

    def head(self, feed: Feed, wake: Callable[[TouchlineError | None], None]) -> int | None: ...


class Holder(Protocol):
    """Whoever holds subscriptions."""

    @property
    def paused(self) -> bool:
        """Whether nothing more is taken for now."""

    @property
    def outlet(self) -> Outlet | None:
        """Where chunks of frames go that are made for all at once; None: it is brought each event."""

    def deliver(self, stream: str, events: Events) -> None:
        """Send these events of one of its streams."""

    def send(self, message: AnyReply) -> None: ...

    def refused(self, subscription: "Subscription", error: TouchlineError) -> None:
        """It could not begin (`request` is set), or could not go on."""


class Subscription:
    """One viewer's place in one audience."""

    __slots__ = (
        "audience",
        "closed",
        "follows",
        "holder",
        "on_end",
        "positions",
        "request",
        "since_ms",
        "view",
    )

    def __init__(
        self, holder: Holder, audience: Audience, request: Subscribe, view: RoomView | None = None
    ) -> None:
        #: What of a room the viewer may see; None: all of the stream.
        self.view = view
        #: Called where what is read takes the viewer out of the room.
        self.on_end: Callable[[], None] = lambda: None
        self.holder = holder
        self.audience = audience
        #: What was asked, until it is answered.
        self.request: Subscribe | None = request
        #: Where the viewer is in each feed; None: at the head of all of them, live.
        self.positions: dict[Feed, int] | None = {}
        self.closed = False
        #: Whether it is one of all of the user's rooms: nobody has asked for it, so it is not answered.
        self.follows = False
        #: When it began.
        self.since_ms = 0
        audience.viewers += 1

    def close(self) -> None:
        """Hear no more."""
        self.closed = True
        if (outlet := self.holder.outlet) is not None:
            self.audience.live.discard(outlet)
        self.audience.ahead.pop(self, None)
        self.audience.followers.pop(self, None)

    def pause(self) -> None:
        """The socket is full, or the stream's partition is gone: from here on the position counts."""
        self.audience.followers.pop(self, None)
        if self.positions is None and (outlet := self.holder.outlet) is not None:
            self.audience.live.discard(outlet)
            self.positions = {feed: feed.ring.head for feed in self.audience.feeds}

    @property
    def at_head(self) -> bool:
        """Whether all that there is has been given."""
        return self.positions is None or self in self.audience.followers or self in self.audience.ahead

    def cursors(self) -> dict[str, int]:
        """Where the viewer is, for whoever has to say it for them."""
        if self.positions is None:
            return {feed.stream: feed.ring.head for feed in self.audience.feeds}
        return {feed.stream: position for feed, position in self.positions.items()}

    def advance(self, backfill: Backfill) -> None:
        """Write until the viewer is live, the socket is full, or history must be read first."""
        if self.closed or self.positions is None or self.holder.paused:
            return

        def wake(error: TouchlineError | None) -> None:
            if self.closed:
                return
            if error is None:
                self.advance(backfill)
            else:
                self.holder.refused(self, error)

        if self.request is not None and not self._begin(self.request, backfill, wake):
            return
        positions = self.positions
        for feed in self.audience.feeds:
            # A lane that was added since: nothing of it was seen, and its first events may be here.
            positions.setdefault(feed, 0)
            if not self._catch_up(feed, positions, backfill, wake):
                return
        if any(position > feed.ring.head for feed, position in positions.items()):
            # Another edge was faster: what comes up to the cursor the viewer has, and must not get again.
            self.audience.ahead[self] = lambda: self.advance(backfill)
            return
        self.audience.ahead.pop(self, None)
        if (outlet := self.holder.outlet) is None:
            self.audience.followers[self] = lambda: self.advance(backfill)
        else:
            self.positions = None
            self.audience.live.add(outlet)

    def _begin(
        self, request: Subscribe, backfill: Backfill, wake: Callable[[TouchlineError | None], None]
    ) -> bool:
        """Find where to start, and answer; False: that takes a look into history first."""
        starts: dict[Feed, int] = {}
        recovered, behind = True, 0
        for number, feed in enumerate(self.audience.feeds):
            head = backfill.head(feed, wake)
            if head is None:
                return False
            # From the start is from the start of every lane; other numbers are those of the stream itself.
            given = request.after if number == 0 or request.after == 0 else None
            after = (request.cursors or {}).get(feed.stream, given)
            page = None
            if self.view is not None:
                after = None if after is None else self.view.skip(after)
            if after is not None:
                start = after
                if start < head and not feed.conflates and not feed.ring.covers(start):
                    page = backfill.page(feed, start, wake)
                    if page is None:
                        return False
                    recovered &= page.missing_below <= start
            elif request.last:
                found = feed.ring.start_of_last(request.last)
                if found is None or not feed.ring.covers(found):
                    found = backfill.start_of_last(feed, request.last, wake)
                if found is None:
                    return False
                start = found if self.view is None else self.view.skip(found)
            else:
                start = head
            starts[feed] = start
            if start < head:
                # Of what a viewer may see in parts it is not counted how much there is.
                countable = self.view is None or start + 1 >= self.view.spans.ranges[-1][0]
                behind += _events_after(feed, start, page) if countable else _UNCOUNTED
        self.positions, self.request = starts, None
        if self.follows:
            return True
        first, shard = self.audience.feeds[0], self.audience.shard
        self.holder.send(
            Subscribed(
                id=request.id,
                stream=self.audience.name,
                seq=first.ring.head,
                recovered=recovered,
                shard=shard.number,
                version=shard.version,
                behind=behind if behind < _UNCOUNTED else UNSET,
                # Who comes back says them; else a lane without an event so far would begin at its head then.
                cursors={feed.stream: start for feed, start in starts.items() if feed is not first} or UNSET,
            )
        )
        return True

    def _catch_up(  # noqa: PLR0912 - one branch a source of events
        self,
        feed: Feed,
        positions: dict[Feed, int],
        backfill: Backfill,
        wake: Callable[[TouchlineError | None], None],
    ) -> bool:
        """Bring one feed to its head; False: not yet."""
        ring = feed.ring
        view = self.view
        while (position := positions[feed]) < ring.head:
            if view is not None and (position := view.skip(position)) != positions[feed]:
                positions[feed] = position
                continue
            if ring.covers(position):
                events, reached = ring.events_after(position, CHUNK)
            elif feed.conflates and len(ring) == ring.capacity:
                events, reached = ring.latest(), ring.head
            else:
                if feed.conflates:
                    start = backfill.start_of_last(feed, LOCATION_RING, wake)
                    if start is None:
                        return False
                    position = max(position, start)
                page = backfill.page(feed, position, wake)
                if page is None:
                    return False
                if page.missing_below > position:
                    self.holder.send(
                        Gap(
                            stream=feed.stream,
                            after=position,
                            seq=page.missing_below,
                            reason="These events are older than what is kept.",
                        )
                    )
                events, reached = page.after(position), max(page.end, position)
            ended = False
            if view is not None:
                events, ended = view.shown(events)
            if events:
                self.holder.deliver(feed.stream, events.latest() if feed.conflates else events)
            positions[feed] = reached
            if ended:
                self.on_end()
                return False
            if self.holder.paused:
                return False
        return not self.holder.paused


def _events_after(feed: Feed, start: int, page: Page | None) -> int:
    """How many events follow up to the feed's head; more than can be where only reading would tell."""
    ring, read = feed.ring, 0
    if page is not None:
        read, start = len(page.after(start)), max(start, page.end)
    countable = not feed.conflates and ring.covers(start)
    return read + ring.count_after(start) if countable else _UNCOUNTED
