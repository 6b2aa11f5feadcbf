"""Rings and pages of the past without what was taken back: a viewer who resumes gets its place, and no text.

A retraction comes by among the events; the workers' record of it a moment later, or earlier. So whatever is
read meanwhile is looked at again, soon and a little later.
"""

from collections.abc import Callable
from functools import partial
from typing import Final

import msgspec

from consumers.delivery.backfill import Backfill
from consumers.delivery.hub import Feed, Hub
from control.moderation.orders import EVERYWHERE
from history.taken_back import TakenBack, blanked, head_of
from kernel.log.positions import Stream, split_lane

#: When pages and rings are looked at again after a retraction, in seconds.
_AGAIN_S: Final = (0.2, 0.7, 3.0)
_encode: Final = msgspec.json.Encoder().encode

Later = Callable[[float, Callable[[], None]], object]


class TakingBack:
    """Of one edge."""

    def __init__(self, hub: Hub, backfill: Backfill, taken_back: TakenBack, later: Later) -> None:
        self._hub, self._backfill, self._taken_back, self._later = hub, backfill, taken_back, later
        #: Whose data were erased up to this time is done.
        self._erased = 0
        hub.shown, hub.on_retract, hub.on_wake = self._shown, self.retracted, self.look_through
        moderation = taken_back.moderation
        moderation.on_change.append(self._changed)
        moderation.on_retraction.append(self._taken)

    def _shown(self, feed: Feed, body: bytes) -> bytes:
        return self._taken_back.shown(Stream.parse(feed.stream), [body])[0]

    def _taken(self, _: bytes) -> None:
        self._later(0, self._copies)

    # ── a message ────────────────────────────────────────────────────────────────────────────────────

    def retracted(self, feed: Feed, target: str) -> None:
        """A message of this stream was taken back, or of another lane of its channel."""
        channel = Stream.parse(feed.stream).channel
        base, number = split_lane(channel)
        lanes = number is not None or any(len(audience.feeds) > 1 for audience in feed.audiences)
        again = partial(self._again, base, feed, target, lanes=lanes)
        again()
        for seconds in _AGAIN_S:
            self._later(seconds, again)

    def _again(self, base: str, feed: Feed, target: str, *, lanes: bool) -> None:
        def shown(body: bytes) -> bytes:
            head = head_of(body)
            gone = head is not None and target in (head.id, head.target) and head.type != "retract"
            return blanked(body) if gone and b'"retracted":true' not in body else body

        self._backfill.forget(base)
        for one in self._lanes_of(base) if lanes else (feed,):
            self._hub.rewrite(one, target.encode(), shown)

    def _lanes_of(self, base: str) -> list[Feed]:
        return [feed for feed in self._hub.feeds() if split_lane(feed.stream.partition(":")[2])[0] == base]

    # ── copies, and all of somebody's ────────────────────────────────────────────────────────────────

    def _copies(self) -> None:
        """Something was taken back of which there may be copies here."""
        for feed in self._hub.feeds():
            if feed.copies:
                self.look_through(feed)
        self._backfill.forget_copies()

    def look_through(self, feed: Feed) -> None:
        """Look at all of a stream's ring again."""
        stream, moderation = Stream.parse(feed.stream), self._taken_back.moderation
        if feed.in_history and (feed.copies or moderation.erases or moderation.retracts_in(stream.channel)):
            self._hub.rewrite(feed, b"", partial(self._shown, feed))

    def _changed(self, channel: str) -> None:
        if channel == EVERYWHERE:
            self._later(0, self._erase)

    def _erase(self) -> None:
        """Somebody's data were erased: nothing of theirs is shown any more."""
        news = [one for one in self._taken_back.moderation.erased() if one.erased > self._erased]
        self._erased = max((one.erased for one in news), default=self._erased)
        for feed in self._hub.feeds() if news else ():
            if feed.copies:
                self.look_through(feed)
            elif feed.in_history:
                shown = partial(self._shown, feed)
                for one in news:
                    self._hub.rewrite(feed, _encode(one.user), shown)
        self._backfill.forget(None)
