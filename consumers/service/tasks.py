"""Work for viewers that takes its time, each piece a task of its own."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from kernel.process.lines import Lines
from kernel.process.logs import get_logger

_log = get_logger("touchline.edge")
_lines = Lines("touchline.edge")


class Tasks:
    """What is under way; bounded by what each viewer may have under way."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something for a viewer. What it raises is logged: the edge goes on."""
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._ended)

    async def settled(self) -> None:
        """Wait until everything that is under way now has ended."""
        await asyncio.gather(*self._running, return_exceptions=True)

    async def close(self) -> None:
        """Stop everything that is under way."""
        for task in list(self._running):
            task.cancel()
        await self.settled()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _lines.error("a viewer's request failed", error=repr(error))


async def contained(what: str, work: Coroutine[Any, Any, None]) -> None:
    """What goes wrong with something that is said regularly is no end of an edge."""
    try:
        await work
    except Exception:
        _log.exception("could not be said; it is tried again", what=what)


async def regularly(every_s: float, what: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Do something for ever, each time after so long."""
    while True:
        await asyncio.sleep(every_s)
        await contained(what, work())
