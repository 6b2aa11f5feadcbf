"""Shares a loop among users: what takes longer than a turn goes on in later ones, whoever took least first.

Between two turns the loop looks at sockets, records and timers: whatever somebody sends, others wait for one.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from kernel.clock import Clock

#: A turn of the loop ends after so long; the piece that is being done then is finished.
TURN_S: Final = 0.01
#: What somebody took counts for half as much after so long.
_HALF_LIFE_S: Final = 5.0
#: Less than that is nothing.
_NOTHING_S: Final = 1e-4
_MOST_USERS: Final = 10_000

#: Does a piece; whether there is more.
Work = Callable[[], bool]


class RecentUse:
    """How much time each user took lately."""

    def __init__(self, clock: Clock, most: int = _MOST_USERS) -> None:
        self._clock, self._most = clock, most
        self._taken: dict[str, tuple[float, float]] = {}

    def of(self, who: str) -> float:
        seconds, at = self._taken.get(who, (0.0, 0.0))
        return 0.0 if seconds == 0.0 else seconds * 0.5 ** ((self._clock.monotonic() - at) / _HALF_LIFE_S)

    def add(self, who: str, seconds: float) -> None:
        self._taken[who] = (self.of(who) + max(seconds, 1e-6), self._clock.monotonic())
        if len(self._taken) > self._most:
            self._taken = {name: one for name, one in self._taken.items() if self.of(name) > _NOTHING_S}
            if len(self._taken) > self._most // 2:
                self._taken.clear()


class Turns:
    """Who waits for a turn. Of one user's work it is one after the other."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._taken = clock, RecentUse(clock)
        self._waiting: dict[str, deque[Work]] = {}
        #: When this turn of the loop ends; None: nobody has done anything in it.
        self._ends: float | None = None
        #: Whether somebody was told to go on, and has this turn.
        self._told = False

    def free(self) -> bool:
        """Whether a piece may be done at once: nobody waits, and this turn is not over."""
        if self._waiting:
            return False
        if self._ends is None:
            self._begin()
            return True
        return self._clock.monotonic() < self._ends

    def over(self) -> bool:
        """Whether this turn has lasted long enough: what is left of a piece waits for a later one."""
        return self._ends is not None and self._clock.monotonic() >= self._ends

    def add(self, who: str, work: Work) -> None:
        """Do this for `who` in later turns, piece by piece, until there is no more of it."""
        if self._ends is None:
            self._begin()
        self._waiting.setdefault(who, deque()).append(work)

    def took(self, who: str, seconds: float) -> None:
        """Something that was done at once took so long."""
        self._taken.add(who, seconds)

    @asynccontextmanager
    async def turn(self, who: str) -> AsyncIterator[None]:
        """The turn of `who`: what is done in it does not wait for anything."""
        if not self.free():
            mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()

            def tell() -> bool:
                if not mine.done():  # who was to wait may have gone
                    mine.set_result(None)
                    self._told = True
                return False

            self.add(who, tell)
            await mine
        begun = self._clock.monotonic()
        try:
            yield
        finally:
            self._taken.add(who, self._clock.monotonic() - begun)

    def _begin(self) -> float:
        ends = self._ends = self._clock.monotonic() + TURN_S
        asyncio.get_running_loop().call_soon(self._next)
        return ends

    def _next(self) -> None:
        """The loop has been round."""
        self._ends, self._told = None, False
        if not self._waiting:
            return
        ends = self._begin()
        while self._waiting and not self._told:
            who = (
                min(self._waiting, key=self._taken.of)
                if len(self._waiting) > 1
                else next(iter(self._waiting))
            )
            works = self._waiting.pop(who)
            work, begun = works.popleft(), self._clock.monotonic()
            try:
                if work():
                    works.append(work)
            finally:
                now = self._clock.monotonic()
                self._taken.add(who, now - begun)
                if works:
                    self._waiting[who] = works
            if now >= ends:
                return
