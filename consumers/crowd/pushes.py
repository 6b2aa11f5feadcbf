"""Who watches a stream and asked for its reactions is told what they come to, at most twice a second.

News of a stream is encoded once for all of them. Whoever does not take it now (a full socket, a subscription
that is not answered yet) is told the latest of all there is as soon as they do.
"""

import asyncio
from collections import OrderedDict
from typing import Any, Final

from consumers.crowd.pace import Pace
from consumers.delivery.broadcast import Live, broadcast
from consumers.protocol import crowd as c
from consumers.protocol import messages as m
from consumers.transport.frames import text_frame
from control.crowd import polls
from control.crowd.crowd import Crowd
from control.crowd.service import base_of
from control.crowd.totals import VOTES, Total
from kernel.clock import Clock
from kernel.log.positions import Stream

_EVERY_S: Final = 0.5
#: What is told of one stream at once, and what is kept for who comes.
_AT_ONCE: Final = 100
_KEPT: Final = 200
#: Who comes is told of reactions to events that are not older.
_LATELY_MS: Final = 60 * 60 * 1000
#: How often it is looked for whether a subscription has begun.
_MOST_TRIES: Final = 20


class _Feed:
    """The news of one stream."""

    __slots__ = ("base", "changed", "holders", "latest", "missed", "name", "paces", "pushed_at", "timer")

    def __init__(self, name: str, base: Stream) -> None:
        self.name, self.base = name, base
        #: Those who asked for it; and of them those who have not got the latest, with how often it was tried
        #: while they did not watch the stream.
        self.holders: dict[Any, None] = {}
        self.missed: dict[Any, int] = {}
        #: Slot -> how it stands, the latest last; those of which it was not told yet.
        self.latest: OrderedDict[str, Total] = OrderedDict()
        self.changed: dict[str, None] = {}
        self.paces: dict[str, Pace] = {}
        self.pushed_at = float("-inf")
        self.timer: asyncio.TimerHandle | None = None


class Telling:
    """All feeds of an edge."""

    def __init__(self, crowd: Crowd, clock: Clock) -> None:
        self._crowd, self._clock = crowd, clock
        self._feeds: dict[str, _Feed] = {}
        self._of_channel: dict[str, dict[str, None]] = {}

    def watches(self, request: m.Subscribe, holder: Any) -> None:
        """Somebody watches a stream and wants to be told, once that is answered."""
        feed = self._feeds.get(request.stream)
        if feed is None:
            feed = self._begin(request.stream)
        feed.holders[holder], feed.missed[holder] = None, 0
        self._soon(feed)

    def leaves(self, stream: str, holder: Any) -> None:
        """No more."""
        feed = self._feeds.get(stream)
        if feed is None:
            return
        feed.holders.pop(holder, None)
        feed.missed.pop(holder, None)
        if not feed.holders:
            self._end(feed)

    def _begin(self, name: str) -> _Feed:
        base = base_of(Stream.parse(name))
        feed = self._feeds[name] = _Feed(name, base)
        of_channel = self._of_channel.setdefault(base.channel, {})
        if not of_channel:
            self._crowd.watch(base.channel, self._heard)
        of_channel[name] = None
        since_ms = self._clock.now_ms() - _LATELY_MS
        for slot, total in self._crowd.standing(base, since_ms, _AT_ONCE):
            feed.latest[slot] = total
            feed.paces[slot] = Pace(self._clock.monotonic(), total.of)
        return feed

    def _end(self, feed: _Feed) -> None:
        if feed.timer is not None:
            feed.timer.cancel()
        del self._feeds[feed.name]
        of_channel = self._of_channel[feed.base.channel]
        del of_channel[feed.name]
        if not of_channel:
            del self._of_channel[feed.base.channel]
            self._crowd.unwatch(feed.base.channel)

    # ── news ─────────────────────────────────────────────────────────────────────────────────────────

    def _heard(self, stream: str, slot: str, total: Total | None) -> None:
        channel = stream.partition(":")[2]
        for name in list(self._of_channel.get(channel, ())):
            feed = self._feeds[name]
            if total is None or str(feed.base) != stream:
                continue
            if slot not in feed.paces:
                feed.paces[slot] = Pace(self._clock.monotonic(), {})
            feed.latest[slot] = total
            feed.latest.move_to_end(slot)
            feed.changed[slot] = None
            while len(feed.latest) > _KEPT:
                gone, _ = feed.latest.popitem(last=False)
                feed.changed.pop(gone, None)
                feed.paces.pop(gone, None)
            self._soon(feed)

    def _soon(self, feed: _Feed) -> None:
        if feed.timer is None:
            wait = feed.pushed_at + _EVERY_S - self._clock.monotonic()
            feed.timer = asyncio.get_running_loop().call_later(max(wait, 0.0), self._push, feed)

    def _push(self, feed: _Feed) -> None:
        feed.timer, feed.pushed_at = None, self._clock.monotonic()
        now, behind = Live(), Live()
        for holder in list(feed.holders):
            subscription = holder.session.streams.get(feed.name)
            if subscription is None:
                # It has ended, by whatever way; or it has not begun yet.
                feed.missed[holder] = tries = feed.missed.get(holder, _MOST_TRIES) + 1
                if tries > _MOST_TRIES:
                    del feed.holders[holder], feed.missed[holder]
            elif holder.paused or subscription.request is not None:
                feed.missed[holder] = 0
            elif holder in feed.missed:
                del feed.missed[holder]
                behind.add(holder.outlet)
            else:
                now.add(holder.outlet)
        if not feed.holders:
            self._end(feed)
            return
        slots = list(feed.changed)[:_AT_ONCE]
        rising = False
        frames: dict[str, bytes] = {}
        for slot in slots:
            del feed.changed[slot]
            frames[slot], rises = self._frame(feed, slot)
            if rises:
                rising = True
                feed.changed[slot] = None  # until it rises no more, which is told too
        if len(behind):
            whole = b"".join(frames.get(slot) or self._frame(feed, slot)[0] for slot in feed.latest)
            broadcast([(whole, behind.present())])
        if frames and len(now):
            broadcast([(b"".join(frames.values()), now.present())])
        if feed.changed or rising or feed.missed:
            self._soon(feed)

    def _frame(self, feed: _Feed, slot: str) -> tuple[bytes, bool]:
        """How a slot stands, for all; and whether it rises still."""
        total = feed.latest[slot]
        message: m.AnyReply
        rates: dict[str, float] = {}
        if slot.startswith(VOTES):
            open_ = total.poll is not None and polls.is_open(total.poll, self._clock.now_ms())
            counts, poll = list(total.counts), slot.removeprefix(VOTES)
            message = c.PollNews(
                stream=feed.name,
                poll=poll,
                counts=counts,
                voters=total.voters,
                open=open_ and not total.retracted,
            )
        else:
            totals = dict(total.of)
            rates = feed.paces[slot].note(self._clock.monotonic(), totals)
            message = c.Reactions(stream=feed.name, target=slot or None, totals=totals, per_s=rates)
        return text_frame(m.render(message)), bool(rates)
