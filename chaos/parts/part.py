"""What a run is made of beside viewers and their events: each system that people use has its part."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple

from chaos.invariants import Watched
from chaos.report import Report

UntilRight = Callable[[Callable[[], Awaitable[list[str]]]], Awaitable[list[str]]]


class Tasks(NamedTuple):
    """What a part does meanwhile."""

    #: By name, what ends once it is told that it is enough.
    ends: "Mapping[str, asyncio.Task[None]]"
    #: What goes on until it is cancelled.
    stays: "Sequence[asyncio.Task[None]]" = ()


class Part(ABC):
    """A load, and the comparison of what came of it with a recount of the log."""

    @abstractmethod
    async def begin(self, enough: asyncio.Event) -> Tasks:
        """Prepare, and begin. Raises where that does not even begin."""

    def stay(self) -> None:  # noqa: B027 - most have nothing to do
        """The last fault is over: nobody goes away any more."""

    def places(self) -> list[Watched]:
        """How far everybody is who has to be at the head at rest. Blocks."""
        return []

    @abstractmethod
    async def compare(self, until_right: UntilRight) -> dict[str, list[str]]:
        """What does not hold, by what should."""

    def count(self, report: Report) -> None:  # noqa: B027
        """How much was done."""

    async def end(self) -> None:  # noqa: B027
        """Let go of what it holds."""
