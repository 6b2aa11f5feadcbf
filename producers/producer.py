"""`Producer`: events into Kafka from asyncio."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterable, Coroutine, Iterable
from functools import partial
from types import TracebackType
from typing import Any, Final, Self

from kernel.errors import TouchlineError
from kernel.settings import Settings, load_settings
from kernel.topics import topic_names
from producers.delivery import Delivered, failed, where
from producers.outbox import OnDelivery, Outbox, closed, left_behind, queue_full
from producers.posts import AnyPost, Preparing, Record
from producers.tally import Tally
from producers.ways import Ways
from schemas.catalog import Catalog

#: After so many events `send_many` lets others run: a turn of the loop every millisecond or so.
_TURN: Final = 256

Confirmation = asyncio.Future[Delivered]


class Producer(Ways[Coroutine[Any, Any, Delivered]]):
    """Sends events: `async with Producer() as p: await p.chat("wc26-final", "What a goal!")`.

    Events are checked before they are sent. No more than `[producer] max_in_flight` are on their way: then
    senders wait for room. Nothing is lost in silence: what Kafka does not confirm raises.
    """

    def __init__(self, settings: Settings | None = None, *, catalog: Catalog | None = None) -> None:
        self._settings: Final = settings or load_settings()
        self._prepare: Final = Preparing(topic_names(self._settings), catalog)
        self._turns = Counter()
        self._reported: deque[tuple[Confirmation, Any, Any]] = deque()
        self._tallies: dict[Tally, asyncio.Future[None]] = {}
        self._outbox: Outbox | None = None
        self._closed = False

    async def __aenter__(self) -> Self:
        self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def open(self) -> None:
        """Start; `async with` does it. Kafka need not be there yet."""
        if self._closed:
            raise closed()
        self._loop = asyncio.get_running_loop()
        self._room = asyncio.Event()
        self._queue = asyncio.Lock()
        self._outbox = Outbox(self._settings, self._progress)

    async def send(self, post: AnyPost) -> Delivered:
        """Send an event, and wait until Kafka holds it on all in-sync replicas."""
        return await (await self.submit(post))

    async def submit(self, post: AnyPost, *, wait: bool = True) -> Confirmation:
        """Send an event without waiting for Kafka: the future that is returned tells what became of it.

        It waits while too many are on their way; with `wait=False` it raises `queue_full` instead.
        """
        confirmation: Confirmation = self._running().create_future()
        await self._put(self._prepare(post), partial(self._report, confirmation), wait=wait)
        return confirmation

    async def send_many(self, posts: Iterable[AnyPost] | AsyncIterable[AnyPost]) -> int:
        """Send any number of events in order, and wait for all; returns how many there were.

        Raises SomeNotDelivered, which names those that were invalid or not confirmed; the rest is delivered.
        """
        loop, tally = self._running(), Tally()
        done = self._tallies[tally] = loop.create_future()
        try:
            if isinstance(posts, AsyncIterable):
                index = 0
                async for post in posts:
                    await self._count(tally, index, post)
                    index += 1
            else:
                for index, post in enumerate(posts):
                    await self._count(tally, index, post)
                    if not index % _TURN:
                        await asyncio.sleep(0)
            if not tally.complete:
                tally.waited_for = True
                await done
        finally:
            del self._tallies[tally]
        return tally.result()

    async def flush(self) -> None:
        """Wait until all that was sent is confirmed or has failed."""
        while self._outbox is not None and self._outbox.waiting:
            self._room.clear()
            await self._room.wait()
        self._resolve()

    async def close(self, timeout_s: float = 30.0) -> None:
        """Wait for what is on its way, at most `timeout_s`. Raises `not_delivered` if any is left then."""
        outbox, self._outbox, self._closed = self._outbox, None, True
        if outbox is None:
            return
        left = await asyncio.to_thread(outbox.close, timeout_s)
        self._resolve()
        if left:
            raise left_behind(left, timeout_s)

    def _running(self) -> asyncio.AbstractEventLoop:
        if self._outbox is None:
            raise (
                closed()
                if self._closed
                else TouchlineError(
                    "closed", "The producer is not open.", hint="Use it as `async with Producer() as p:`."
                )
            )
        return self._loop

    async def _count(self, tally: Tally, index: int, post: AnyPost) -> None:
        try:
            record = self._prepare(post)
        except TouchlineError as error:
            tally.refuse(index, post, error)
            return
        tally.sent += 1
        await self._put(record, tally.expect(index, post), wait=True)

    async def _put(self, record: Record, on_delivery: OnDelivery, *, wait: bool) -> None:
        # Who comes while others wait goes behind them: events keep the order in which they were sent.
        if not self._queue.locked() and self._outbox is not None and self._outbox.put(record, on_delivery):
            return
        if not wait:
            raise queue_full()
        async with self._queue:
            while True:
                self._room.clear()
                if self._outbox is None:
                    raise closed()
                if self._outbox.put(record, on_delivery):
                    return
                await self._room.wait()

    # ── in the delivery thread ───────────────────────────────────────────────────────────────────────

    def _report(self, confirmation: Confirmation, error: Any, message: Any) -> None:
        self._reported.append((confirmation, error, message))

    def _progress(self) -> None:
        self._loop.call_soon_threadsafe(self._resolve)

    # ── in the loop again ────────────────────────────────────────────────────────────────────────────

    def _resolve(self) -> None:
        while self._reported:
            confirmation, error, message = self._reported.popleft()
            if confirmation.cancelled():
                continue
            if error is None:
                confirmation.set_result(where(message))
            else:
                confirmation.set_exception(failed(error))
        for tally, done in self._tallies.items():
            if tally.waited_for and tally.complete and not done.done():
                done.set_result(None)
        self._room.set()
