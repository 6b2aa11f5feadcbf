"""A part of a run beside the matches: who does something while things break, and what must hold of it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from chaos.invariants import Watched
from chaos.report import Report

#: Asks until nothing is wrong any more; what still is when time is up.
UntilRight = Callable[[Callable[[], Awaitable[list[str]]]], Awaitable[list[str]]]


class Part(Protocol):
    """Rooms, for example (chaos.rooms)."""

    async def begin(self, enough: asyncio.Event) -> "dict[str, asyncio.Task[None]]":
        """Let everybody begin; the tasks by name. Of those that post, which end by themselves once it is
        `enough`, the names are in `posts`."""
        ...

    @property
    def posts(self) -> frozenset[str]:
        """The names of those tasks that end when it is enough."""
        ...

    def stay(self) -> None:
        """All faults are over: nobody goes away any more."""
        ...

    def places(self) -> list[Watched]:
        """How far whoever watches is, for whoever waits until all are at the head. Blocks."""
        ...

    async def compare(self, until_right: UntilRight) -> dict[str, list[str]]:
        """What does not hold, by what should."""
        ...

    def count(self, report: Report) -> None:
        """Write down how much of it there was."""
        ...
