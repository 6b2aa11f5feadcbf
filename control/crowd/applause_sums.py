"""Applause is added up at the doors before it is posted: one record a stream and emoji a tenth of a second.

Who applauds is answered once Kafka holds the sum that it is in. A door that dies before that has answered
nobody: its viewers lose their connection with their requests open, and know that these may not have counted.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final

from control.crowd.reactions import MAX_SUM
from kernel.log.positions import Stream

EVERY_S: Final = 0.1
#: So many are sent on at once: who brings very many does not wait for the time to pass.
ENOUGH: Final = 4096

#: Posts so many applauses as one record; returns once Kafka holds it.
Post = Callable[[Stream, str, int], Awaitable[None]]


class _Round:
    """What is added up until it is posted."""

    def __init__(self) -> None:
        self.sums: Counter[tuple[Stream, str]] = Counter()
        self.done: dict[tuple[Stream, str], asyncio.Future[None]] = {}
        self.size = 0
        self.timer: asyncio.TimerHandle | None = None


class Summing:
    """The sums of one door."""

    def __init__(self, post: Post, every_s: float = EVERY_S) -> None:
        self._post, self._every_s = post, every_s
        self._round = _Round()
        self._posting: set[asyncio.Task[None]] = set()

    def add(self, stream: Stream, with_: str, n: int) -> "asyncio.Future[None]":
        """Add so many applauses; the future is done once Kafka holds them, or fails as posting did."""
        round_, loop = self._round, asyncio.get_running_loop()
        what = (stream, with_)
        if round_.sums[what] + n > MAX_SUM:
            self._send()
            round_ = self._round
        done = round_.done.get(what)
        if done is None:
            done = round_.done[what] = loop.create_future()
        round_.sums[what] += n
        round_.size += n
        if round_.size >= ENOUGH:
            self._send()
        elif round_.timer is None:
            round_.timer = loop.call_later(self._every_s, self._send)
        return done

    async def close(self) -> None:
        """Post what is left, and wait for it."""
        self._send()
        await asyncio.gather(*self._posting, return_exceptions=True)

    def _send(self) -> None:
        round_, self._round = self._round, _Round()
        if round_.timer is not None:
            round_.timer.cancel()
        for what, n in round_.sums.items():
            task = asyncio.get_running_loop().create_task(self._settle(*what, n, round_.done[what]))
            self._posting.add(task)
            task.add_done_callback(self._posting.discard)

    async def _settle(self, stream: Stream, with_: str, n: int, done: "asyncio.Future[None]") -> None:
        try:
            await self._post(stream, with_, n)
        except Exception as error:
            if not done.done():
                done.set_exception(error)
                done.exception()  # somebody may have stopped waiting
        else:
            if not done.done():
                done.set_result(None)
