"""The viewers of a simulated match: real sockets to an edge, each of which counts what it sees."""

import asyncio
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Final, Self

from consumers.client.viewer import Viewer
from schemas.events import Event

_CONNECT_S: Final = 5.0
#: What supporters ask is none of the match.
_POLLS: Final = frozenset({"poll", "poll_closed"})


class Spectators:
    """So many viewers of the same streams. `async with` returns when all of them are subscribed."""

    def __init__(self, url: str, streams: tuple[str, ...], count: int) -> None:
        self._url, self._streams, self._count = url, streams, count
        #: How many events each viewer has seen.
        self.seen = [0] * count
        self._news = asyncio.Event()
        self._viewers = AsyncExitStack()
        self._watching: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        """Raises TouchlineError `unavailable` where no edge answers."""
        try:
            await asyncio.gather(*(self._take_a_seat(number) for number in range(self._count)))
        except BaseException:
            await self._leave()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._leave()

    async def wait(self, expected: int, within_s: float) -> int:
        """Wait until everybody has seen so many events; returns how many were missed by all together."""
        try:
            async with asyncio.timeout(within_s):
                while min(self.seen) < expected:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            pass
        return sum(max(0, expected - seen) for seen in self.seen)

    async def _take_a_seat(self, number: int) -> None:
        viewer = await self._viewers.enter_async_context(Viewer(self._url))
        await viewer.connected(_CONNECT_S)
        for stream in self._streams:
            self._watching.append(asyncio.create_task(self._watch(viewer, stream, number)))
        await asyncio.sleep(0)  # the tasks ask for their streams
        # An edge answers in order: once this is answered the streams are watched.
        await viewer.request({"op": "presence", "stream": self._streams[0]})

    async def _watch(self, viewer: Viewer, stream: str, number: int) -> None:
        async for item in viewer.items(stream):
            if isinstance(item, Event) and item.type not in _POLLS:
                self.seen[number] += 1
                self._news.set()

    async def _leave(self) -> None:
        for task in self._watching:
            task.cancel()
        await asyncio.gather(*self._watching, return_exceptions=True)
        await self._viewers.aclose()
