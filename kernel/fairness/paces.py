"""When each may go on: one number for each, by the generic cell rate algorithm; all budgets rest on it. Pure.

Somebody's number is when all that they took is theirs again. What is taken puts it off by what it is worth in
time; whoever is ahead by more than a burst waits. The clock is the caller's: append times, or monotonic ones.
"""

from itertools import islice
from typing import Final

#: Of whom it is remembered, in each place that counts.
_REMEMBERED: Final = 100_000


class Paces:
    """All whose number lies ahead, by whatever name; the unit is that of the times that are given."""

    def __init__(self, remembered: int = _REMEMBERED) -> None:
        self._due: dict[str, float] = {}
        self._remembered = remembered

    def __len__(self) -> int:
        return len(self._due)

    def ahead(self, who: str, now: float) -> float:
        """How much time's worth they have taken that is not theirs again."""
        return max(0.0, self._due.get(who, now) - now)

    def wait(self, who: str, now: float, burst: float) -> float:
        """How long they have to wait still; 0 or less: they may go on."""
        return self._due.get(who, 0.0) - burst - now

    def count(self, who: str, now: float, worth: float) -> None:
        """They took something that is worth so much time."""
        if len(self._due) >= self._remembered:
            self._forget(now)
        self._due[who] = max(self._due.get(who, 0.0), now) + worth

    def give_back(self, who: str, worth: float) -> None:
        """Some of it was not used after all."""
        if who in self._due:
            self._due[who] -= worth

    def _forget(self, now: float) -> None:
        """Whoever may go on anyway need not be remembered; of others the longest known go, half at a time.

        To go through all of them for each event would be the end of the fold's pace."""
        waiting = {name: due for name, due in self._due.items() if due > now}
        for name in list(islice(waiting, max(0, len(waiting) - self._remembered // 2))):
            del waiting[name]
        self._due = waiting
