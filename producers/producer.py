"""`Producer`: events into Kafka from asyncio."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterable, AsyncIterator, Callable, Coroutine, Iterable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from types import TracebackType
from typing import Any, Final, Self, cast

from control.commands.answers import WITHIN_S, Answers, judged, not_asked
from kernel.clock import Clock, SystemClock
from kernel.errors import TouchlineError
from kernel.log.records import Headers
from kernel.log.topics import topic_names
from kernel.process.tracing import current
from kernel.settings.reading import Settings, load_settings
from producers.posts import AnyPost, Record
from producers.sending.batch import Batch, Filled, Item, Located
from producers.sending.delivery import Delivered, SomeNotDelivered, Wait, where
from producers.sending.outbox import OnDelivery, Outbox, closed, left_behind, not_open, queue_full
from producers.sending.preparing import Preparing
from producers.sending.send_methods import SendMethods
from schemas.catalog import Catalog
from schemas.registry import catalog_for

#: After so many events `send_many` lets others run: a turn of the loop every millisecond or so.
_TURN: Final = 512
#: Of a full queue so much is confirmed before `send_many` fills it again. For every handful of reports that
#: would be with the delivery thread at work as well, which costs a third of the rate.
_REFILL: Final = 0.25

Confirmation = asyncio.Future[Delivered]


class Producer(SendMethods[Coroutine[Any, Any, Delivered]]):
    """Sends events: `async with Producer() as p: await p.chat("wc26-final", "What a goal!")`.

    Events are checked before they are sent. No more than `[producer] max_in_flight` are on their way: then
    senders wait for room. Nothing is lost in silence: what Kafka does not confirm raises.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        catalog: Catalog | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._clock = clock or SystemClock()
        self._settings: Final = settings or load_settings()
        self.prepare = Preparing(topic_names(self._settings), catalog or catalog_for(self._settings))
        self._turns = Counter()
        self._announced = {}
        self._reported: deque[tuple[Confirmation, Any, Any]] = deque()
        self._batches: list[tuple[Batch[Any], asyncio.Future[int]]] = []
        self._outbox: Outbox | None = None
        self._closed = False
        #: The fold's answers; whoever will want some quickly lets it begin.
        self.answers: Final = Answers(self._settings)

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
        self._last_heard = self._clock.monotonic()
        self._room = asyncio.Event()
        self._queue = asyncio.Lock()
        self._outbox = Outbox(self._settings, self._progress)
        self._explain = self._outbox.contact.explain

    async def connected(self) -> None:
        """Wait until Kafka has answered. Raises `unavailable` where it does not in `connect_timeout_s`."""
        await asyncio.to_thread(self._open().contact.wait)

    async def listening(self) -> None:
        """Wait until the workers' words are heard: who sends with `wait="accepted"` then waits for no more.
        Raises `unavailable` where it takes longer than `connect_timeout_s`."""
        within_s = self._settings.producer.connect_timeout_s
        try:
            async with asyncio.timeout(within_s):
                (await self.answers.ask_soon()).forget()
        except TimeoutError:
            raise not_asked(within_s) from None

    async def send(self, post: AnyPost, *, spread: int = 0, wait: Wait | None = None) -> Delivered:
        """Send an event, and wait until Kafka holds it on all in-sync replicas, or until it is accepted."""
        if wait is None:
            return await (await self.submit(post, spread=spread))
        self._running()
        return await self.accepted(self.prepare(self.on_lane(post, spread)))

    async def accepted(
        self, record: Record, headers: Headers | None = None, *, within_s: float = WITHIN_S
    ) -> Delivered:
        """Send a record, and wait for the fold's word. Raises its refusal, or `unavailable` after that."""
        confirmation: Confirmation = self._running().create_future()

        async def put(asked: Headers) -> None:
            more = [*asked, *(headers or ()), *(current() or ())]
            await self._put(record, partial(self._report, confirmation), None, more)
            await confirmation

        position = await judged(self.answers, put, within_s)
        return confirmation.result()._replace(seq=position.seq, id=position.id)

    async def submit(self, post: AnyPost, *, wait: bool = True, spread: int = 0) -> Confirmation:
        """Send an event without waiting for Kafka: the future that is returned tells what became of it.

        It waits while too many are on their way; with `wait=False` it raises `queue_full` instead.
        """
        confirmation: Confirmation = self._running().create_future()
        record = self.prepare(self.on_lane(post, spread))
        await self._put(record, partial(self._report, confirmation), None if wait else 0, current())
        return confirmation

    async def send_many(self, posts: Iterable[AnyPost] | AsyncIterable[AnyPost], *, spread: int = 0) -> int:
        """Send any number of events in order, and wait for all; returns how many there were.

        Raises SomeNotDelivered, which names those that were invalid or not confirmed; the rest is delivered.
        """
        if not spread:
            return await (await self.submit_many(posts))
        return await (await self.submit_many(posts, lambda post: self.prepare(self.on_lane(post, spread))))

    async def submit_many(
        self,
        posts: Iterable[Item] | AsyncIterable[Item],
        prepare: Callable[[Item], Record] | None = None,
        *,
        patience_s: float | None = None,
        headers: Headers | None = None,
    ) -> asyncio.Future[int]:
        """As `send_many`, but returns when all are on their way; the future tells what became of them.

        With `prepare` the items may be anything that it makes records of. With `patience_s` the first event
        that finds no room for so long fails with `queue_full` (or `unavailable`, if Kafka does not answer at
        all), and so do those after it.
        """
        told = current() if headers is None else headers
        batch = Batch(prepare or cast("Callable[[Item], Record]", self.prepare), self._explain, told)
        return await self.submit_batch(batch, posts, patience_s=patience_s)

    def batch(
        self, prepare: Callable[[Item], Record] | None, located: Located, headers: Headers | None = None
    ) -> Batch[Item]:
        """A batch for `submit_batch`, which keeps where its events lie, with these headers on each record."""
        self._open()
        return Batch(prepare, self._explain, headers, located=located)

    async def submit_batch(
        self,
        batch: Batch[Item],
        posts: Iterable[Item] | AsyncIterable[Item],
        *,
        patience_s: float | None = None,
    ) -> asyncio.Future[int]:
        """As `submit_many`, into a batch that the caller looks at when the future is done."""
        done: asyncio.Future[int] = self._running().create_future()
        if isinstance(posts, AsyncIterable):
            async for post in posts:
                await self._fill(batch, iter((post,)), patience_s)
        else:
            await self._fill(batch, iter(posts), patience_s)
        if batch.complete:
            _settle(done, batch)
        else:
            self._batches.append((batch, done))
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
        await asyncio.to_thread(self.answers.close)
        self._resolve()
        if left:
            raise left_behind(left, timeout_s)

    def _running(self) -> asyncio.AbstractEventLoop:
        self._open()
        return self._loop

    async def _fill(self, batch: Batch[Item], items: Iterator[Item], patience_s: float | None) -> None:
        """Put all items, with room for other tasks in between."""
        filled = Filled.PAUSE
        while filled is not Filled.END:
            # Who comes while others wait goes behind them: events keep the order in which they were sent.
            if not self._queue.locked():
                outbox = self._open()
                with outbox.heard_here() as hear:
                    while (filled := batch.fill(items, outbox.produce, _TURN)) is Filled.PAUSE:
                        hear()
                        await asyncio.sleep(0)
                        if self._outbox is None or self._queue.locked():
                            break
                if filled is Filled.END:
                    return
                if filled is Filled.PAUSE:
                    continue
            try:
                async with self._room_found(patience_s):
                    while (filled := batch.fill(items, self._open().produce, _TURN)) is Filled.FULL:
                        await self._room_made(share=_REFILL)
            except TouchlineError as error:
                batch.give_up(items, error)
                return

    async def _put(
        self,
        record: Record,
        on_delivery: OnDelivery,
        patience_s: float | None,
        headers: Headers | None = None,
    ) -> None:
        if not self._queue.locked() and self._open().put(record, on_delivery, headers):
            return
        async with self._room_found(patience_s):
            while not self._open().put(record, on_delivery, headers):
                await self._room_made()

    @asynccontextmanager
    async def _room_found(self, patience_s: float | None) -> AsyncIterator[None]:
        """The head of the queue, from when on nobody else puts anything. Raises when patience ends."""
        try:
            async with asyncio.timeout(patience_s), self._queue:
                yield
        except TimeoutError:
            raise queue_full(self._clock.monotonic() - self._last_heard) from None

    async def _room_made(self, share: float = 0.0) -> None:
        """Wait for room: any, or this share of what is on its way."""
        waiting = self._open().waiting
        # Cleared after an attempt that failed in this very turn of the loop: no report can come in between.
        self._room.clear()
        await self._room.wait()
        while self._open().waiting > waiting * (1 - share):
            self._room.clear()
            await self._room.wait()

    def _announce(self, record: Record) -> bool:
        return self._open().put(record, _ignored)

    def _open(self) -> Outbox:
        if self._outbox is None:
            raise closed() if self._closed else not_open()
        return self._outbox

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
                confirmation.set_exception(self._explain(error))
        waiting, self._batches = self._batches, []
        for batch, done in waiting:
            if batch.complete:
                _settle(done, batch)
            else:
                self._batches.append((batch, done))
        self._last_heard = self._clock.monotonic()
        self._room.set()


def _ignored(_: Any, __: Any) -> None:
    """A command that was not delivered is given again by the next producer; events do not wait for it."""


def _settle(done: asyncio.Future[int], batch: Batch[Any]) -> None:
    if done.cancelled():
        return
    try:
        done.set_result(batch.result())
    except SomeNotDelivered as error:
        done.set_exception(error)
