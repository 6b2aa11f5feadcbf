"""How many entities of a table each user has: read once, when it is asked first, and then by what changes."""

import asyncio
from collections import Counter
from collections.abc import Callable
from threading import Lock
from typing import Final, Generic, TypeVar

from control.entity.view import View

S = TypeVar("S")
#: Entities that are read at once: they may be large.
_PAGE: Final = 100


class Shares(Generic[S]):
    """Those of one table, of which there is a bound on how many there are in all."""

    def __init__(self, view: Callable[[], View[S]], whose: Callable[[S], str | None]) -> None:
        self._view, self._whose = view, whose
        self._lock = Lock()  # changes come from the thread that follows the table
        self._owners: dict[bytes, str | None] = {}
        #: Keys that went while the table was read: what was read of them counts no more.
        self._gone: set[bytes] | None = set()
        self._counts: Counter[str] = Counter()
        self._reading: asyncio.Task[None] | None = None

    async def of(self, user: str) -> int:
        """How many a user has, as far as is known here."""
        if self._reading is None or (self._reading.done() and self._reading.exception() is not None):
            begins = self._reading is None
            view = self._view()
            if begins:
                view.watch_all(self._changed)
            self._reading = asyncio.create_task(asyncio.to_thread(self._read, view))
        await asyncio.shield(self._reading)
        return self._counts[user]

    def _read(self, view: View[S]) -> None:
        after = b""
        while page := view.scan(b"", after=after, limit=_PAGE):
            after = page[-1][0]
            with self._lock:
                for key, state in page:
                    if key not in self._owners and key not in (self._gone or ()):
                        self._put(key, state)
        with self._lock:
            self._gone = None

    def _changed(self, key: bytes, state: S | None) -> None:
        with self._lock:
            owner = self._owners.pop(key, None)
            if owner is not None:
                self._counts[owner] -= 1
                if not self._counts[owner]:
                    del self._counts[owner]
            if state is not None:
                self._put(key, state)
            elif self._gone is not None:
                self._gone.add(key)

    def _put(self, key: bytes, state: S) -> None:
        owner = self._owners[key] = self._whose(state)
        if owner is not None:
            self._counts[owner] += 1
