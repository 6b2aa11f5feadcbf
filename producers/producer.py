"""`Producer`: events into Kafka from asyncio."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterable, Callable, Coroutine, Iterable
from functools import partial
from types import TracebackType
from typing import Any, Final, Self, TypeVar, cast

from kernel.errors import TouchlineError
from kernel.settings import Settings, load_settings
from kernel.topics import topic_names
from producers.delivery import Delivered, SomeNotDelivered, failed, where
from producers.outbox import OnDelivery, Outbox, closed, left_behind, queue_full
from producers.posts import AnyPost, Preparing, Record
from producers.tally import Tally
from producers.ways import Ways
from schemas.catalog import Catalog

#: After so many events `send_many` lets others run: a turn of the loop every millisecond or so.
_TURN: Final = 256

Item = TypeVar("Item")
Confirmation = asyncio.Future[Delivered]


class Producer(Ways[Coroutine[Any, Any, Delivered]]):
    """Sends events: `async with Producer() as p: await p.chat("wc26-final", "What a goal!")`.

    Events are checked before they are sent. No more than `[producer] max_in_flight` are on their way: then
    senders wait for room. Nothing is lost in silence: what Kafka does not confirm raises.
    """

    def __init__(self, settings: Settings | None = None, *, catalog: Catalog | None = None) -> None:
        self._settings: Final = settings or load_settings()
        self.prepare: Final = Preparing(topic_names(self._settings), catalog)
        self._turns = Counter()
        self._reported: deque[tuple[Confirmation, Any, Any]] = deque()
        self._tallies: list[tuple[Tally, asyncio.Future[int]]] = []
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
        self._last_heard = self._loop.time()
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
        await self._put(self.prepare(post), partial(self._report, confirmation), None if wait else 0)
        return confirmation

    async def send_many(self, posts: Iterable[AnyPost] | AsyncIterable[AnyPost]) -> int:
        """Send any number of events in order, and wait for all; returns how many there were.

        Raises SomeNotDelivered, which names those that were invalid or not confirmed; the rest is delivered.
        """
        return await (await self.submit_many(posts))

    async def submit_many(
        self,
        posts: Iterable[Item] | AsyncIterable[Item],
        prepare: Callable[[Item], Record] | None = None,
        *,
        patience_s: float | None = None,
    ) -> asyncio.Future[int]:
        """As `send_many`, but returns when all are on their way; the future tells what became of them.

        With `prepare` the items may be anything that it makes records of. With `patience_s` the first event
        that finds no room for so long fails with `queue_full` (or `unavailable`, if Kafka does not answer at
        all), and so do those after it.
        """
        done: asyncio.Future[int] = self._running().create_future()
        tally = Tally()
        count = partial(
            self._count, tally, prepare or cast("Callable[[Item], Record]", self.prepare), patience_s
        )
        index = 0
        if isinstance(posts, AsyncIterable):
            async for post in posts:
                await count(index, post)
                index += 1
        else:
            for post in posts:
                await count(index, post)
                index += 1
                if not index % _TURN:
                    await asyncio.sleep(0)
        if tally.complete:
            _settle(done, tally)
        else:
            self._tallies.append((tally, done))
        return done

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

    async def _count(
        self,
        tally: Tally,
        prepare: Callable[[Item], Record],
        patience_s: float | None,
        index: int,
        post: Item,
    ) -> None:
        if tally.gave_up is not None:
            tally.refuse(index, post, tally.gave_up)
            return
        try:
            record = prepare(post)
        except TouchlineError as error:
            tally.refuse(index, post, error)
            return
        tally.sent += 1
        try:
            await self._put(record, tally.expect(index, post), patience_s)
        except TouchlineError as error:
            tally.sent -= 1
            tally.refuse(index, post, error)
            tally.gave_up = error

    async def _put(self, record: Record, on_delivery: OnDelivery, patience_s: float | None) -> None:
        # Who comes while others wait goes behind them: events keep the order in which they were sent.
        if not self._queue.locked() and self._outbox is not None and self._outbox.put(record, on_delivery):
            return
        try:
            async with asyncio.timeout(patience_s), self._queue:
                while True:
                    self._room.clear()
                    if self._outbox is None:
                        raise closed()
                    if self._outbox.put(record, on_delivery):
                        return
                    await self._room.wait()
        except TimeoutError:
            silent_s = self._loop.time() - self._last_heard
            raise queue_full(silent_s) from None

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
        waiting = self._tallies
        self._tallies = []
        for tally, done in waiting:
            if tally.complete:
                _settle(done, tally)
            else:
                self._tallies.append((tally, done))
        self._last_heard = self._loop.time()
        self._room.set()


def _settle(done: asyncio.Future[int], tally: Tally) -> None:
    if done.cancelled():
        return
    try:
        done.set_result(tally.result())
    except SomeNotDelivered as error:
        done.set_exception(error)
