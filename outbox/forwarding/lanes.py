"""A receiver: what waits for it, in order of each channel, and when it is tried again.

Channels go their own ways, as many at once as there are connections; of one channel nothing goes out before
what came before it is there. A receiver that fails again and again is tried by one event alone, ever more
seldom, until that goes well. What does not fit into memory stays on the log, and is read again from there.
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Final, NamedTuple

from kernel.clock import Clock
from kernel.log.records import Partition
from kernel.process.metrics import POSTED, POSTS_FAILED
from kernel.settings.outbox import Outbox
from outbox.outlets.outlet import Item, Outcome, Outlet

#: Failures without a success in between, from which on a receiver counts as down.
_DOWN: Final = 5
#: Events that go out as one message, where there are more than so many.
DIGEST_FROM: Final = 4
_MOST_OF_A_DIGEST: Final = 500
_MAX_WAIT_S: Final = 24 * 60 * 60.0

Spawn = Callable[[Coroutine[Any, Any, None]], object]


class Told(NamedTuple):
    """Whom a receiver tells what becomes of its events."""

    #: These were handed over.
    sent: Callable[["Receiver", list[Item]], None]
    #: This one never was, and it is too late for it.
    given_up: Callable[["Receiver", Item, str], None]
    #: The receiver wants nothing any more.
    gone: Callable[["Receiver"], None]
    #: There is room for what was left on the log.
    room: Callable[["Receiver"], None]


class Lane:
    """A receiver's part of a partition."""

    __slots__ = ("behind_from", "reading", "waiting")

    def __init__(self) -> None:
        #: Offsets of what waits in memory, in their order.
        self.waiting: dict[int, None] = {}
        #: From here on it is to be read from the log again; None: all that has come is in memory.
        self.behind_from: int | None = None
        self.reading = False

    @property
    def place(self) -> int | None:
        """The offset of the first event that the receiver does not have; None: it has all."""
        first = next(iter(self.waiting), None)
        return self.behind_from if first is None else first


class Receiver:
    """One receiver."""

    def __init__(
        self, id_: str, outlet: Outlet, settings: Outbox, clock: Clock, *, spawn: Spawn, told: Told
    ) -> None:
        self.id, self.outlet = id_, outlet
        self._settings, self._clock, self._spawn, self._told = settings, clock, spawn, told
        self.lanes: dict[Partition, Lane] = {}
        self._channels: dict[tuple[Partition, str], deque[Item]] = {}
        self._ready: deque[tuple[Partition, str]] = deque()
        #: Channels that are under way, or wait for their next try.
        self._busy: set[tuple[Partition, str]] = set()
        #: Of these those that are under way.
        self._running: set[tuple[Partition, str]] = set()
        self._tries: dict[tuple[Partition, str], int] = {}
        self.queued = self.queued_bytes = 0
        #: Failures since the last success.
        self.failures = 0
        self._rests_until, self._resting = 0.0, False
        self._timers: set[asyncio.TimerHandle] = set()
        self._closed = False
        self.last_error = ""

    @property
    def idle(self) -> bool:
        """Whether it has all that has come."""
        return not self.queued and all(lane.place is None for lane in self.lanes.values())

    @property
    def full(self) -> bool:
        """Whether what comes has to stay on the log."""
        most = self._settings
        return self.queued >= most.queued or self.queued_bytes >= most.queued_bytes

    def oldest_s(self, now_ms: int) -> float:
        """How old the eldest event is that waits in memory."""
        eldest = min((queue[0].at_ms for queue in self._channels.values() if queue), default=now_ms)
        return max(0.0, (now_ms - eldest) / 1000)

    def lane(self, place: Partition) -> Lane:
        """Its part of a partition; made if it is not there."""
        found = self.lanes.get(place)
        if found is None:
            found = self.lanes[place] = Lane()
        return found

    # ── what comes ───────────────────────────────────────────────────────────────────────────────────

    def offer(self, item: Item) -> None:
        """An event as it comes: into memory, or left on the log for later."""
        lane = self.lane(item.place)
        if lane.behind_from is not None:
            return
        if self.full:
            lane.behind_from = item.offset
        else:
            self.put(item)

    def put(self, item: Item) -> None:
        """The next event of its partition, into memory."""
        if self._closed:
            return
        self.lane(item.place).waiting[item.offset] = None
        channel = (item.place, item.channel)
        self._channels.setdefault(channel, deque()).append(item)
        self._count(item)
        if channel not in self._busy:
            self._busy.add(channel)
            self._ready.append(channel)
            self._go()

    def _count(self, item: Item, way: int = 1) -> None:
        self.queued += way
        self.queued_bytes += way * len(item.body)

    def drop(self, place: Partition) -> None:
        """A partition is somebody else's now."""
        self.lanes.pop(place, None)
        for channel in [channel for channel in self._channels if channel[0] == place]:
            for item in self._channels.pop(channel):
                self._count(item, -1)

    def close(self) -> None:
        """Nothing goes out any more."""
        self._closed = True
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        self.lanes.clear()
        self._channels.clear()
        self._ready.clear()
        self.queued = self.queued_bytes = 0

    def again(self) -> None:
        """Try now what waits for its next try: an operator says that the receiver is back."""
        self.failures, self._rests_until, self._resting = 0, 0.0, False
        for timer in list(self._timers):
            timer.cancel()
            self._timers.discard(timer)
        for channel in self._channels:
            if channel not in self._running and channel not in self._ready:
                self._busy.add(channel)
                self._ready.append(channel)
        self._go()

    # ── what goes out ────────────────────────────────────────────────────────────────────────────────

    def _go(self) -> None:
        """As many as may be under way, and are ready."""
        if self._closed or not self._ready:
            return
        hold = self.outlet.hold_until(self._clock.now_ms())
        wait_s = max(self._rests_until - self._clock.monotonic(), (hold - self._clock.now_ms()) / 1000)
        if wait_s > 0:
            if not self._resting:
                self._resting = True
                self._later(min(wait_s, _MAX_WAIT_S), self._rested)
            return
        most = 1 if self.failures >= _DOWN else self.outlet.at_once or self._settings.connections
        while self._ready and len(self._running) < most:
            channel = self._ready.popleft()
            if not self._channels.get(channel):
                self._busy.discard(channel)
                continue
            self._running.add(channel)
            self._spawn(self._deliver(channel))

    def _rested(self) -> None:
        self._resting = False
        self._go()

    def _later(self, wait_s: float, call: Callable[[], None]) -> None:
        def due() -> None:
            self._timers.discard(timer)
            call()

        timer = asyncio.get_running_loop().call_later(wait_s, due)
        self._timers.add(timer)

    async def _deliver(self, channel: tuple[Partition, str]) -> None:
        """The events of a channel, one after the other, until one fails or has to wait."""
        try:
            queue = self._channels.get(channel)
            while queue and not self._closed:
                items = self._next(queue)
                outcome = await self.outlet.deliver(items)
                if outcome.what == "done":
                    POSTED.labels(self.outlet.sort).inc(len(items))
                elif outcome.what == "again":
                    POSTS_FAILED.labels(self.outlet.sort).inc()
                if self._channels.get(channel) is not queue:
                    break  # it is closed, or the partition was somebody else's meanwhile
                if outcome.what != "done":
                    self._failed(channel, queue, items, outcome)
                    return
                self.failures, self._rests_until = 0, 0.0
                self._tries.pop(channel, None)
                self._took(queue, items)
                self._told.sent(self, items)
                if queue and (self._ready or self.outlet.hold_until(self._clock.now_ms())):
                    break  # others wait for the connection, or what comes next has to wait for a while
            if not self._channels.get(channel):
                self._channels.pop(channel, None)
                self._busy.discard(channel)
            else:
                self._ready.append(channel)
        finally:
            self._running.discard(channel)
            self._go()

    def _next(self, queue: deque[Item]) -> list[Item]:
        if self.outlet.digests and len(queue) >= DIGEST_FROM:
            return list(queue)[:_MOST_OF_A_DIGEST]
        return [queue[0]]

    def _took(self, queue: deque[Item], items: list[Item]) -> None:
        was_full = self.full
        for item in items:
            queue.popleft()
            self._count(item, -1)
            lane = self.lanes.get(item.place)
            if lane is not None:
                lane.waiting.pop(item.offset, None)
        behind = any(lane.behind_from is not None for lane in self.lanes.values())
        if behind and (self.queued <= self._settings.queued // 2 or was_full):
            self._told.room(self)

    def _failed(
        self, channel: tuple[Partition, str], queue: deque[Item], items: list[Item], outcome: Outcome
    ) -> None:
        self.last_error = outcome.why
        if outcome.what == "gone":
            self._told.gone(self)
            return
        self.failures += 1
        tries = self._tries[channel] = self._tries.get(channel, 0) + 1
        late = self._clock.now_ms() - self._settings.give_up_s * 1000
        if (old := [item for item in items if item.at_ms <= late]) and tries > 1:
            for item in old:
                self._told.given_up(self, item, outcome.why)
            self._took(queue, old)
            self._tries.pop(channel, None)
        wait_s = self._wait_s(max(tries, self.failures - _DOWN + 1), outcome.wait_s)
        if outcome.wait_s is not None or self.failures >= _DOWN:
            # It is the receiver that is not there, or wants to be left alone: all channels wait.
            self._rests_until = self._clock.monotonic() + wait_s
            self._ready.appendleft(channel)
            return
        self._later(wait_s, lambda: self._due(channel))

    def _due(self, channel: tuple[Partition, str]) -> None:
        self._ready.append(channel)
        self._go()

    def _wait_s(self, tries: int, asked_s: float | None) -> float:
        """How long until the next try: twice as long each time, and not at the same moment as others."""
        if asked_s is not None:
            return min(max(asked_s, 0.0), _MAX_WAIT_S)
        first, most = self._settings.first_retry_s, self._settings.max_retry_s
        wait_s = min(most, first * float(2 ** min(tries - 1, 30)))
        return wait_s * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
