"""What doors (edges, gateways) tell each other of their users: a user has one budget over all of them.

Four times a second each door says what users took there, and every two seconds how many connections and
subscriptions they hold; only of those who took or hold a good deal: nobody else gains by more doors.
"""

import secrets
from collections.abc import Iterator, Mapping
from heapq import nlargest
from operator import itemgetter
from typing import Any, Final

from control.edges.heartbeat_parts import StreamSums
from control.edges.presence import DEAD_AFTER_S
from control.topic_tables.table import Row
from kernel.access.tokens import Grants
from kernel.clock import Clock
from kernel.fairness.budgets import DoorBudgets
from schemas.codec import Codec

#: How often a door looks whether there is something to say: within a second the others know.
PUBLISH_S: Final = 0.25
#: How often it says what users hold.
_HELD_S: Final = 2.0
#: Users of one budget in a record, and records at a time. With the longest names a record is half of what
#: one may be; who is left out is told of the next time.
_USERS: Final = 200
_RECORDS: Final = 10
#: Of those who hold something so many are told of, those who hold most; and none below this part of a limit.
_HOLDERS: Final = 1000
_WORTH_TELLING: Final = 0.05
#: Doors of which it is remembered what is held there.
_MOST_DOORS: Final = 256


class DoorShares:
    """One door among all doors."""

    def __init__(self, budgets: DoorBudgets, clock: Clock, codec: Codec) -> None:
        self._budgets, self._clock, self._codec = budgets, clock, codec
        #: A name that no other door has, however many are configured alike.
        self.name = secrets.token_urlsafe(9)
        #: What users hold here, by what it is; and how many each may.
        self._holds: dict[str, tuple[Mapping[str, int], int]] = {}
        self._said_held = False
        self._held_at = float("-inf")
        #: What is held at other doors, and when each of them said so.
        self._elsewhere = StreamSums()
        self._heard: dict[str, float] = {}

    def holds(self, what: str, by_user: Mapping[str, int], limit: int) -> None:
        """Users hold something here, of which each may have so many over all doors."""
        self._holds[what] = (by_user, limit)

    def records(self) -> Iterator[tuple[str, bytes]]:
        """What there is to say now, as records: often nothing."""
        for _ in range(_RECORDS):
            taken = [
                {"budget": name, "user": user, "cost": cost}
                for name, budget in self._budgets.by_name.items()
                for user, cost in budget.shared(_USERS)
            ]
            if not taken:
                break
            yield self._record(taken=taken)
        now = self._clock.monotonic()
        if now - self._held_at >= _HELD_S:
            self._held_at = now
            self._forget_silent(now)
            held = self._held()
            # That nobody holds much any more is said once.
            if held or self._said_held:
                yield self._record(held=held)
            self._said_held = bool(held)

    def learn(self, row: Row) -> None:
        """Another door has said something."""
        if row.key == self.name or row.value is None:
            return
        for each in row.value["taken"]:
            budget = self._budgets.by_name.get(each["budget"])
            if budget is not None:
                budget.told(each["user"], each["cost"])
        held = row.value["held"]
        if held is None or (row.key not in self._heard and len(self._heard) >= _MOST_DOORS):
            return
        self._heard[row.key] = self._clock.monotonic()
        numbers = {_key(each["what"], each["user"]): each["number"] for each in held if each["number"] > 0}
        self._elsewhere.heard(row.key, numbers)

    def elsewhere(self, what: str, grants: Grants) -> int:
        """How many a user holds at other doors; none where nothing binds them."""
        user = self._budgets.bound(grants.user, admin=grants.allows("admin", "*"))
        return 0 if user is None else self._elsewhere.viewers(_key(what, user))

    def _forget_silent(self, now: float) -> None:
        for door in [door for door, heard in self._heard.items() if now - heard >= DEAD_AFTER_S]:
            del self._heard[door]
            self._elsewhere.forget(door)

    def _held(self) -> list[dict[str, Any]]:
        found = [
            (number / limit, {"what": what, "user": user, "number": number})
            for what, (by_user, limit) in self._holds.items()
            for user, number in by_user.items()
            if number >= limit * _WORTH_TELLING
        ]
        return [row for _, row in nlargest(_HOLDERS, found, key=itemgetter(0))]

    def _record(self, *, taken: Any = (), held: Any = None) -> tuple[str, bytes]:
        said = {"at": self._clock.now_ms(), "taken": list(taken), "held": held}
        return self.name, self._codec.encode(said)


def _key(what: str, user: str) -> str:
    return f"{what}\0{user}"
