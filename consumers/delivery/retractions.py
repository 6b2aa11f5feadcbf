"""Rings and pages of the past without what was taken back: a viewer who resumes gets its place, and no text.

A retraction comes by among the events; the workers' record of it a moment later, or earlier. So whatever is
read meanwhile is looked at again, soon and a little later.
"""

from collections.abc import Callable
from functools import partial
from typing import Final

import msgspec

from consumers.delivery.backfill import Backfill
from consumers.delivery.feeds import Feed, base_of
from consumers.delivery.hub import Hub
from control.moderation.orders import EVERYWHERE
from history.retractions import TakenBack, blanked, head_of
from kernel.log.positions import Stream

#: When pages and rings are looked at again after a retraction: at once, and each time so many seconds later.
_AGAIN_S: Final = (0.0, 0.2, 0.5, 2.3)
#: Bytes of rings that are looked at before others have their turn: a few milliseconds.
_TURN_BYTES: Final = 8_000_000
#: What a look costs though there is nothing to be looked at.
_LOOK_BYTES: Final = 4_000
_encode: Final = msgspec.json.Encoder().encode

Later = Callable[[float, Callable[[], None]], object]


class TakingBack:
    """Of one edge."""

    def __init__(self, hub: Hub, backfill: Backfill, taken_back: TakenBack, later: Later) -> None:
        self._hub, self._backfill, self._taken_back, self._later = hub, backfill, taken_back, later
        #: What was taken back, by channel, for each time that it is looked for.
        self._waiting: list[dict[str, set[str]]] = [{} for _ in _AGAIN_S]
        #: Erasures up to this time are done, or under way.
        self._erased = 0
        #: Rings that are looked through for people whose data were erased.
        self._to_erase: list[tuple[Feed, list[str]]] = []
        hub.shown, hub.on_retract, hub.on_wake = self._shown, self._retracted, self.look_through
        moderation = taken_back.moderation
        moderation.on_change.append(self._changed)
        moderation.on_retraction.append(self.retracted)

    def _shown(self, feed: Feed, body: bytes) -> bytes:
        return self._taken_back.shown(Stream.parse(feed.stream), [body])[0]

    # ── a message ────────────────────────────────────────────────────────────────────────────────────

    def _retracted(self, feed: Feed, target: str) -> None:
        """The retraction itself came by: behind what it is about, where that is on the same lane."""
        self._rewrite(feed, target)
        self._backfill.forget({base_of(feed)})

    def retracted(self, channel: str, target: str) -> None:
        """A message of this channel, or of a lane of it, was taken back, as the workers' record says."""
        self._wait(0, channel, target)

    def _wait(self, time: int, channel: str, target: str) -> None:
        waiting = self._waiting[time]
        if not waiting:
            self._later(_AGAIN_S[time], partial(self._look, time))
        waiting.setdefault(channel, set()).add(target)

    def _look(self, time: int) -> None:
        """Look for what waits, as much as a turn has room for: many may be taken back at once."""
        waiting, looked_at, channels = self._waiting[time], 0, set[str]()
        while waiting and looked_at < _TURN_BYTES:
            channel, targets = next(iter(waiting.items()))
            target = targets.pop()
            looked_at += _LOOK_BYTES + self._take_back(channel, target)
            channels.add(channel)
            if time + 1 < len(_AGAIN_S):
                self._wait(time + 1, channel, target)
            if not targets:
                del waiting[channel]
        self._backfill.forget(channels)
        if waiting:
            self._later(0, partial(self._look, time))

    def _take_back(self, channel: str, target: str) -> int:
        """Out of the rings that may have it; how many bytes those have."""
        feeds, copies = self._hub.feeds.of_channel(channel), self._hub.feeds.of_copies()
        for feed in feeds:
            self._rewrite(feed, target)
        for feed in copies:
            self._hub.rewrite(feed, target.encode(), partial(self._shown, feed))
        return sum(feed.ring.bytes for feed in (*feeds, *copies))

    def _rewrite(self, feed: Feed, target: str) -> None:
        def shown(body: bytes) -> bytes:
            head = head_of(body)
            gone = head is not None and target in (head.id, head.target) and head.type != "retract"
            return blanked(body) if gone and b'"retracted":true' not in body else body

        self._hub.rewrite(feed, target.encode(), shown)

    # ── all of somebody's ────────────────────────────────────────────────────────────────────────────

    def look_through(self, feed: Feed) -> None:
        """Look at all of a stream's ring again."""
        if not feed.in_history:  # such as the operators' figures, which are of no channel
            return
        stream, moderation = Stream.parse(feed.stream), self._taken_back.moderation
        if feed.copies or moderation.erases or moderation.retracts_in(stream.channel):
            self._hub.rewrite(feed, b"", partial(self._shown, feed))

    def _changed(self, channel: str) -> None:
        if channel == EVERYWHERE:
            self._later(0, self._erase)

    def _erase(self) -> None:
        """Somebody's data were erased: nothing of theirs is shown any more."""
        news = [one for one in self._taken_back.moderation.erased() if one.erased > self._erased]
        self._erased = max((one.erased for one in news), default=self._erased)
        if news:
            users, idle = [one.user for one in news], not self._to_erase
            self._to_erase += [(feed, users) for feed in self._hub.feeds]
            if idle:
                self._erase_some()
        self._backfill.forget(None)

    def _erase_some(self) -> None:
        looked_at = 0
        while self._to_erase and looked_at < _TURN_BYTES:
            feed, users = self._to_erase.pop()
            looked_at += feed.ring.bytes * len(users)
            if feed.copies:
                self.look_through(feed)
            elif feed.in_history:
                for user in users:
                    self._hub.rewrite(feed, _encode(user), partial(self._shown, feed))
        if self._to_erase:
            self._later(0, self._erase_some)
