"""What each user may do in a time: token buckets by user, one mechanism for every door. Pure.

A budget holds so much at once, and is refilled at a rate. What one door takes another may have to know of: a
budget counts what it has taken since it was last asked (`taken`), and can be told what others have (`told`).
"""

import math
from collections import OrderedDict
from collections.abc import Mapping

from kernel.clock import Clock
from kernel.errors import TouchlineError
from kernel.sections import Limits

#: Users whose buckets are not full that are remembered; the one who was quiet for longest goes first.
_MOST_USERS = 100_000


class RateLimitedError(TouchlineError):
    """Too much in too short a time; it says when to try again."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        seconds = max(1, math.ceil(min(retry_after_s, 3600)))
        super().__init__("rate_limited", message, hint=f"Try again in {seconds} s.")
        self.retry_after_s = seconds


class Budget:
    """One kind of thing, for all users: events, bytes, cost of searches."""

    def __init__(
        self, what: str, *, rate: float, at_once: float, clock: Clock, most: int = _MOST_USERS
    ) -> None:
        """`what` names it in the sentence of a refusal; `rate` is a second's."""
        self._what, self._rate, self._at_once, self._most = what, rate, max(at_once, 1.0), most
        self._clock = clock
        #: User -> what is left (below 0: debt), and when that was. Who is not in it has all of it.
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._taken: dict[str, float] = {}

    def charge(self, user: str, cost: float) -> float:
        """Take it, whether or not it is there: who asks may be slowed. Returns seconds until it would be."""
        left = self._put(user, self._left_of(user) - cost)
        if len(self._taken) < self._most or user in self._taken:
            self._taken[user] = self._taken.get(user, 0.0) + cost
        return max(0.0, -left / self._rate)

    def take(self, user: str, cost: float = 1.0) -> None:
        """Take it. Raises RateLimitedError, and takes nothing, where the user is in debt or would be.

        What costs more than there can ever be at once is let in by a full bucket.
        """
        left = self._left_of(user)
        if left < min(cost, self._at_once):
            wait_s = (min(cost, self._at_once) - left) / self._rate
            raise RateLimitedError(f"You have used up your {self._what}.", wait_s)
        self.charge(user, cost)

    def give_back(self, user: str, cost: float) -> None:
        """What was taken was not used after all."""
        self._put(user, min(self._at_once, self._left_of(user) + cost))

    def taken(self) -> Mapping[str, float]:
        """What each user took here since this was last asked, for doors that share a budget."""
        taken, self._taken = self._taken, {}
        return taken

    def told(self, taken: Mapping[str, float]) -> None:
        """Another door says what it has let users take."""
        for user, cost in taken.items():
            self._put(user, self._left_of(user) - cost)

    def _left_of(self, user: str) -> float:
        found = self._left.get(user)
        if found is None:
            return self._at_once
        left, at = found
        return min(self._at_once, left + (self._clock.monotonic() - at) * self._rate)

    def _put(self, user: str, left: float) -> float:
        if left >= self._at_once:
            self._left.pop(user, None)
            return left
        self._left[user] = (left, self._clock.monotonic())
        self._left.move_to_end(user)
        while len(self._left) > self._most:
            self._left.popitem(last=False)
        return left


class DoorBudgets:
    """All that one door counts for each user. None: somebody whom nothing binds."""

    def __init__(self, limits: Limits, clock: Clock) -> None:
        self._unbound = frozenset(limits.unbound)
        self.events = Budget("events", rate=limits.events_per_s, at_once=limits.events_at_once, clock=clock)
        self.bytes = Budget(
            "bytes of events", rate=limits.bytes_per_s, at_once=limits.bytes_at_once, clock=clock
        )
        self.reads = Budget(
            "pages of history and searches",
            rate=limits.reads_per_s,
            at_once=limits.reads_at_once,
            clock=clock,
        )
        self.read_bytes = Budget(
            "bytes of history and searches",
            rate=limits.read_bytes_per_s,
            at_once=limits.read_bytes_at_once,
            clock=clock,
        )

    def bound(self, user: str | None, *, admin: bool) -> str | None:
        """The user, if these budgets bind them; `admin`: whether they may that on everything."""
        return None if user is None or admin or user in self._unbound else user

    def take_event(self, user: str | None, size: int) -> None:
        """An event of so many bytes. Raises RateLimitedError."""
        if user is not None:
            self.events.take(user)
            self.bytes.take(user, size)

    def slow_down(self, user: str | None, events: int, size: int) -> float:
        """Events that have come: for how many seconds whoever sends them is to be kept waiting."""
        if user is None:
            return 0.0
        return max(self.events.charge(user, events), self.bytes.charge(user, size))

    def take_read(self, user: str | None, cost: float = 1.0) -> None:
        """A page that is asked for. Raises RateLimitedError, also where earlier pages were too large."""
        if user is not None:
            self.read_bytes.take(user, 0.0)
            self.reads.take(user, cost)

    def count_read(self, user: str | None, size: int) -> None:
        """What a page was in the end."""
        if user is not None:
            self.read_bytes.charge(user, size)
