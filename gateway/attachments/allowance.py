"""What a user may upload: bytes an hour, and attachments that are announced and have not arrived yet."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from gateway.attachments.store import Store
from kernel.clock import Clock
from kernel.errors import TouchlineError
from kernel.fairness.budgets import Budget
from kernel.settings.limits import Limits

_HOUR_S: Final = 3600.0
#: Users of whom it is known what they have announced; the one who was quiet for longest goes first.
_MOST_USERS: Final = 10_000


class Allowance:
    """As this gateway counts it."""

    def __init__(self, limits: Limits, clock: Clock, store: Store) -> None:
        self._clock, self._store, self._at_once = clock, store, limits.uploads_at_once
        an_hour = limits.attachment_bytes_per_hour
        self._bytes = Budget("bytes of attachments", rate=an_hour / _HOUR_S, at_once=an_hour, clock=clock)
        #: User -> what they have announced, and until when it may come.
        self._open: OrderedDict[str, dict[str, float]] = OrderedDict()

    @asynccontextmanager
    async def taking(
        self, user: str | None, attachment: str, size: int
    ) -> AsyncIterator[Callable[[float], None]]:
        """An attachment is announced; what this gives is told until when it may come.

        Raises `rate_limited`, or `limit_reached` where too many have not arrived yet.
        """
        if user is None:
            yield lambda _: None
            return
        await self._check_open(user)
        self._bytes.take(user, float(size))
        taken = False

        def until(expires_s: float) -> None:
            nonlocal taken
            taken = True
            self._open.setdefault(user, {})[attachment] = expires_s
            self._open.move_to_end(user)
            if len(self._open) > _MOST_USERS:
                self._open.popitem(last=False)

        try:
            yield until
        finally:
            if not taken:
                self._bytes.give_back(user, float(size))

    async def _check_open(self, user: str) -> None:
        now_s = self._clock.now_ms() / 1000
        mine = {one: end for one, end in self._open.get(user, {}).items() if end > now_s}
        if len(mine) >= self._at_once:
            # They may have arrived by another gateway, or where none of ours sees it: the store knows.
            found = await asyncio.gather(*map(self._store.find, mine))
            mine = {one: end for (one, end), facts in zip(mine.items(), found, strict=True) if facts is None}
        if mine:
            self._open[user] = mine
        else:
            self._open.pop(user, None)
        if len(mine) >= self._at_once:
            raise TouchlineError(
                "limit_reached",
                f"{len(mine)} attachments that you have announced have not been uploaded yet.",
            )
