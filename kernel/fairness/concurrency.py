"""How much may be under way at once, for each user and in all: what is large is held only so many times.

Who has as many as may be waits for a place of their own; in the place of others nobody does.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from kernel.errors import TouchlineError
from kernel.fairness.budgets import RateLimitedError
from kernel.settings.limits import Limits

_WAIT_S: Final = 10.0


class _User:
    """One user's places, while somebody uses or wants them."""

    def __init__(self, places: int) -> None:
        self.places, self.here = asyncio.Semaphore(places), 0


class Slots:
    """Places for what is under way."""

    def __init__(self, what: str, *, each: int, in_all: int) -> None:
        self._what, self._each = what, each
        self._all = asyncio.Semaphore(in_all)
        #: Of whom something is under way.
        self.users: dict[str, _User] = {}

    @classmethod
    def of_pages(cls, limits: Limits) -> "Slots":
        """Pages of history and search."""
        return cls("pages", each=limits.pages_under_way, in_all=limits.pages_under_way_in_all)

    @asynccontextmanager
    async def slot(self, user: str | None) -> AsyncIterator[None]:
        """A place, until this is left. Raises `rate_limited` where a user's own, else `unavailable`."""
        if user is None:
            async with self._of_all():
                yield
            return
        own = self.users.setdefault(user, _User(self._each))
        own.here += 1
        try:
            await self._place(own.places, self._mine())
            try:
                async with self._of_all():
                    yield
            finally:
                own.places.release()
        finally:
            own.here -= 1
            if not own.here:
                self.users.pop(user, None)

    @asynccontextmanager
    async def _of_all(self) -> AsyncIterator[None]:
        await self._place(self._all, self._everybodys())
        try:
            yield
        finally:
            self._all.release()

    @staticmethod
    async def _place(places: asyncio.Semaphore, refusal: TouchlineError) -> None:
        try:
            async with asyncio.timeout(_WAIT_S):
                await places.acquire()
        except TimeoutError:
            raise refusal from None

    def _mine(self) -> TouchlineError:
        return RateLimitedError(f"{self._each} {self._what} are on their way to you: take these first.", 1)

    def _everybodys(self) -> TouchlineError:
        return TouchlineError("unavailable", f"Too many {self._what} are under way: try again in a moment.")
