"""What each user may do in a time: so much at once, then at a rate; one mechanism for every door. Pure.

What one door lets somebody take the others have to know of: a budget says what was taken in it (`shared`),
and is told what others have let be taken (`told`): a user has one budget over all doors
(`control.edges.budget_shares`).
"""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from kernel.clock import Clock
from kernel.errors import TouchlineError
from kernel.fairness.paces import Paces
from kernel.settings.limits import Limits

#: Users who have taken something and are remembered.
_MOST_USERS: Final = 100_000
#: Who has taken less than this part of what may be taken at once is not worth telling of, until another door
#: tells of them: then they are told of to the last event, for as long as not all of it is theirs again.
_WORTH_TELLING: Final = 0.02
#: Of those it is remembered of so many what they took.
_MOST_UNTOLD: Final = 20_000
#: No door lets anybody take more between two words of it than is there at once, and as much as this adds.
_MOST_TOLD_S: Final = 60.0
#: What sums of parts may be off by.
_NEARLY: Final = 1e-9


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
        self._what, self._rate, self._at_once = what, rate, max(at_once, 1.0)
        self._clock, self._paces = clock, Paces(most)
        #: What was taken here and not told yet; and by whom so much of it that it is worth telling.
        self._untold: dict[str, float] = {}
        self._worth_telling: set[str] = set()
        #: Users of whom other doors have told, and until when (by the clock) that counts.
        self._elsewhere: dict[str, float] = {}

    def charge(self, user: str, cost: float) -> float:
        """Take it, whether or not it is there: who asks may be slowed. Returns seconds until it would be."""
        now = self._clock.monotonic()
        if cost > 0:
            self._paces.count(user, now, cost / self._rate)
            self._note(user, cost, now)
        return max(0.0, self._paces.wait(user, now, self._at_once / self._rate))

    def take(self, user: str, cost: float = 1.0) -> None:
        """Take it. Raises RateLimitedError, and takes nothing, where the user is in debt or would be.

        What costs more than there can ever be at once is let in by a full bucket.
        """
        needed = min(cost, self._at_once)
        wait_s = self._paces.wait(user, self._clock.monotonic(), (self._at_once - needed) / self._rate)
        if wait_s > _NEARLY:
            raise RateLimitedError(f"You have used up your {self._what}.", wait_s)
        self.charge(user, cost)

    def give_back(self, user: str, cost: float) -> None:
        """What was taken was not used after all."""
        self._paces.give_back(user, cost / self._rate)
        if user in self._untold:
            self._untold[user] -= cost

    def shared(self, most: int) -> list[tuple[str, float]]:
        """What users took here since this was last asked: those who took much, and at most so many. What is
        left out is kept until it is worth telling, or theirs again."""
        told: list[tuple[str, float]] = []
        for user in list(self._worth_telling):
            if len(told) >= most:
                break
            self._worth_telling.discard(user)
            if (cost := self._untold.pop(user, 0.0)) > 0:
                told.append((user, cost))
        return told

    def told(self, user: str, cost: float) -> None:
        """Another door says what it has let this user take. Nobody but doors can say so; whatever is said, it
        counts for no more than a door can have let be taken."""
        if cost > 0:  # which NaN is not
            most = self._at_once / self._rate + _MOST_TOLD_S
            now = self._clock.monotonic()
            self._paces.count(user, now, min(cost / self._rate, most))
            if len(self._elsewhere) >= _MOST_UNTOLD:
                self._elsewhere = {who: until for who, until in self._elsewhere.items() if until > now}
            if len(self._elsewhere) < _MOST_UNTOLD:
                self._elsewhere[user] = now + self._paces.ahead(user, now)
            if self._untold.get(user, 0.0) > 0:
                self._worth_telling.add(user)

    def _note(self, user: str, cost: float, now: float) -> None:
        if len(self._untold) >= _MOST_UNTOLD and user not in self._untold:
            self._forget(now)
        taken = self._untold[user] = self._untold.get(user, 0.0) + cost
        if taken >= self._at_once * _WORTH_TELLING or self._elsewhere.get(user, 0.0) > now:
            self._worth_telling.add(user)

    def _forget(self, now: float) -> None:
        """Of those who took little: first whose it is again, then whoever was the first to take something."""
        left = {
            user: cost
            for user, cost in self._untold.items()
            if user in self._worth_telling or self._paces.ahead(user, now) > 0
        }
        little = [user for user in left if user not in self._worth_telling]
        for user in little[: max(0, len(left) - _MOST_UNTOLD // 2)]:
            del left[user]
        self._untold = left
        self._worth_telling &= left.keys()


class DoorBudgets:
    """All that a door counts for each user. None: somebody whom nothing binds."""

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
        self.commands = Budget(
            "changes of channels and alerts",
            rate=limits.commands_per_s,
            at_once=limits.commands_at_once,
            clock=clock,
        )
        #: By the names by which doors tell each other of them.
        self.by_name: Mapping[str, Budget] = MappingProxyType(
            {
                "events": self.events,
                "bytes": self.bytes,
                "reads": self.reads,
                "read_bytes": self.read_bytes,
                "commands": self.commands,
            }
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

    def take_command(self, user: str | None) -> None:
        """A change of what is known beside the log that is asked for. Raises RateLimitedError."""
        if user is not None and user not in self._unbound:
            self.commands.take(user)

    def count_read(self, user: str | None, size: int) -> None:
        """What a page was in the end."""
        if user is not None:
            self.read_bytes.charge(user, size)
