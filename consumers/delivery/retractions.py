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
from history.retractions import TakenBack, blanked, head_of
from kernel.log.positions import Stream, split_lane

#: When pages and rings are looked at again after a retraction, in seconds.
_AGAIN_S: Final = (0.2, 0.7, 3.0)
_encode: Final = msgspec.json.Encoder().encode

Later = Callable[[float, Callable[[], None]], object]


class TakingBack:
    """Of one edge."""

    def __init__(self, hub: Hub, backfill: Backfill, taken_back: TakenBack, later: Later) -> None:
        self._hub, self._backfill, self._taken_back, self._later = hub, backfill, taken_back, later
        #: Erasures up to this time are done.
        self._erased = 0
        hub.shown, hub.on_retract, hub.on_wake = self._shown, self._retracted, self.look_through
        moderation = taken_back.moderation
        moderation.on_change.append(self._changed)
        moderation.on_retraction.append(self.retracted)

    def _shown(self, feed: Feed, body: bytes) -> bytes:
        return self._taken_back.shown(Stream.parse(feed.stream), [body])[0]

    # ── a message ────────────────────────────────────────────────────────────────────────────────────

    def _retracted(self, feed: Feed, target: str) -> None:
        """The retraction itself came by: behind what it is about, where that is on the same lane."""
        self._rewrite([feed], target)
        self._backfill.forget(_base_of(feed))

    def retracted(self, channel: str, target: str) -> None:
        """A message of this channel, or of a lane of it, was taken back, as the workers' record says."""
        again = partial(self._again, channel, target)
        again()
        for seconds in _AGAIN_S:
            self._later(seconds, again)

    def _again(self, channel: str, target: str) -> None:
        feeds = self._hub.feeds()
        self._rewrite([feed for feed in feeds if _base_of(feed) == channel], target)
        for feed in feeds:
            if feed.copies:
                self._hub.rewrite(feed, target.encode(), partial(self._shown, feed))
        self._backfill.forget(channel)
        self._backfill.forget_copies()

    def _rewrite(self, feeds: list[Feed], target: str) -> None:
        def shown(body: bytes) -> bytes:
            head = head_of(body)
            gone = head is not None and target in (head.id, head.target) and head.type != "retract"
            return blanked(body) if gone and b'"retracted":true' not in body else body

        for feed in feeds:
            self._hub.rewrite(feed, target.encode(), shown)

    # ── all of somebody's ────────────────────────────────────────────────────────────────────────────

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


def _base_of(feed: Feed) -> str:
    """The channel that a stream is of, or of which it is a lane."""
    return split_lane(feed.stream.partition(":")[2])[0]
