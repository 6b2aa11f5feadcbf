"""Devices of members that come and go: each follows all rooms of its user, acknowledges and reads.

It takes down what it was shown, and what its inbox says.
"""

import asyncio
import contextlib
import random
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from chaos.invariants import Missing
from chaos.parts.rooms.invariants import Held, Shown
from consumers.client.viewer import Gap, Viewer
from kernel.errors import TouchlineError

_STAYS_S: Final = 12.0
_AWAY_S: Final = 4.0
_READ_EVERY_S: Final = 1.5
_READ_S: Final = 10.0


class Device:
    """One device. What it has it leaves out when it comes again, as a telephone does."""

    def __init__(self, user: str, name: str, urls: Sequence[str], seed: int) -> None:
        self.user, self.name = user, name
        self._chance = random.Random(seed)  # noqa: S311 - to be had again
        self._urls = self._chance.sample(list(urls), len(urls))
        self._shown: defaultdict[str, list[Shown]] = defaultdict(list)
        self._told: defaultdict[str, list[Missing]] = defaultdict(list)
        self._steady = asyncio.Event()
        self._viewer: Viewer | None = None
        #: The rows of its inbox by stream, as of the connection that it has.
        self.rows: dict[str, Mapping[str, Any]] = {}
        #: All rooms are followed; and the connection's inbox has come.
        self.synced = asyncio.Event()
        self.has_inbox = asyncio.Event()
        #: Events that came again, because the edge that knew that it has them died first.
        self.again = 0
        #: Keep only the places: in a long run without a comparison at its end.
        self.forget_what_was_seen = False

    def stay(self) -> None:
        """Go away no more."""
        self._steady.set()

    @property
    def held(self) -> list[Held]:
        """What it was shown."""
        streams = dict.fromkeys((*self._shown, *self._told))
        return [Held(self.user, self.name, s, self._shown[s], self._told[s]) for s in streams]

    def at(self, stream: str) -> int:
        """Up to where it has a stream."""
        seen, told = self._shown.get(stream, ()), self._told.get(stream, ())
        return max(seen[-1].seq if seen else 0, told[-1].until if told else 0)

    async def read(self, stream: str, seq: int) -> None:
        """Its user has read a room up to here; returns once that is confirmed. Raises TouchlineError."""
        if self._viewer is None:
            raise TouchlineError("unavailable", f"{self.name} of {self.user} is away.")
        async with asyncio.timeout(_READ_S):
            await self._viewer.read(stream, seq)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self.rows, steady = {}, self._steady.is_set()
            self.has_inbox.clear()
            async with Viewer(
                self._urls, user=self.user, device=self.name, seed=self._chance.randrange(1 << 30)
            ) as viewer:
                self._viewer = viewer
                tasks = [
                    asyncio.create_task(work)
                    for work in (self._stays(), self._sync(viewer), self._inbox(viewer), self._reads(viewer))
                ]
                end = viewer.on_told(self._hears)
                try:
                    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                    for ended in done:
                        ended.result()
                finally:
                    self._viewer = None
                    end()
                    for task in tasks:
                        task.cancel()
                    await asyncio.gather(*tasks, return_exceptions=True)
            if not steady:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._steady.wait(), self._chance.expovariate(1 / _AWAY_S))

    async def _stays(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._steady.wait(), self._chance.expovariate(1 / _STAYS_S))
        if self._steady.is_set():
            await asyncio.Event().wait()

    def _hears(self, message: Mapping[str, Any]) -> None:
        if message["op"] == "synced":
            self.synced.set()

    async def _sync(self, viewer: Viewer) -> None:
        async with contextlib.aclosing(viewer.sync(ack=False)) as items:
            async for item in items:
                if isinstance(item, Gap):
                    self._told[item.stream].append(Missing(item.after, item.seq - 1))
                    continue
                if item.seq <= self.at(item.stream):
                    self.again += 1
                else:
                    if self.forget_what_was_seen:
                        self._shown[item.stream].clear()
                    self._shown[item.stream].append(Shown(item.seq, time.time() * 1000))
                # Some devices are slow to say what they have.
                if self._steady.is_set() or self._chance.random() < 0.7:
                    viewer.ack(item.stream, item.seq)

    async def _inbox(self, viewer: Viewer) -> None:
        async with contextlib.aclosing(viewer.inbox(limit=200)) as pages:
            async for rows in pages:
                for row in rows:
                    stream = f"chat:room-{row['room']}"
                    if "gone" in row:
                        self.rows.pop(stream, None)
                    else:
                        self.rows[stream] = row
                self.has_inbox.set()

    async def _reads(self, viewer: Viewer) -> None:
        """Read some of what came, now and then. What is refused, or not answered, is no finding."""
        while True:
            await asyncio.sleep(self._chance.uniform(0, 2 * _READ_EVERY_S))
            if self._steady.is_set():
                await asyncio.Event().wait()
            if self._shown:
                stream = self._chance.choice(list(self._shown))
                seen = self._shown[stream]
                if seen:
                    with contextlib.suppress(TouchlineError, TimeoutError):
                        async with asyncio.timeout(_READ_S):
                            await viewer.read(stream, self._chance.choice(seen[-10:]).seq)
