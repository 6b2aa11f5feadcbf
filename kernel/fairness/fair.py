"""A few places that all users share: whoever has fewest gets the next one, and nobody all of them.

Whose work is under way is a variable of the context, which tasks inherit from whoever starts them.
"""

import asyncio
from collections import Counter
from contextvars import ContextVar
from typing import Final

#: Whose request is under way; empty: nobody's who is counted.
WHOSE: Final[ContextVar[str]] = ContextVar("whose", default="")


class FairSemaphore:
    """So many places. The last one that is free is only for those who have none."""

    def __init__(self, number: int) -> None:
        self._free = number
        self._held: Counter[str] = Counter()
        #: Who waits, in the order in which they came.
        self._waiting: dict[asyncio.Future[None], str] = {}

    async def take(self) -> str:
        """Wait for a place; returns whose it is, for `give_back`."""
        who = WHOSE.get()
        if self._may(who) and not any(self._may(other) for other in self._waiting.values()):
            self._hand(who)
            return who
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[mine] = who
        try:
            await mine
        except asyncio.CancelledError:
            if self._waiting.pop(mine, None) is None and not mine.cancelled():
                self.give_back(who)  # it was handed to somebody who has gone
            raise
        return who

    def give_back(self, who: str) -> None:
        """The place is free again."""
        self._free += 1
        self._held[who] -= 1
        if self._held[who] <= 0:
            del self._held[who]
        while self._free and self._waiting:
            mine, whose = min(self._waiting.items(), key=lambda one: self._held[one[1]])
            if not self._may(whose):
                return
            del self._waiting[mine]
            if not mine.done():
                self._hand(whose)
                mine.set_result(None)

    def _may(self, who: str) -> bool:
        return self._free > 1 or (self._free == 1 and not self._held[who])

    def _hand(self, who: str) -> None:
        self._free -= 1
        self._held[who] += 1
