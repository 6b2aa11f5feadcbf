"""`SyncProducer`: the same for programs without an event loop; any number of threads may share one."""

import threading
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import Future
from functools import partial
from types import TracebackType
from typing import Any, Final, Self

from control.commands.answers import WITHIN_S, Answers, NotAnswered
from kernel.clock import Clock, SystemClock
from kernel.log.records import Headers
from kernel.log.topics import topic_names
from kernel.process.tracing import current
from kernel.settings.reading import Settings, load_settings
from producers.posts import AnyPost, Record
from producers.sending.batch import Batch, Filled
from producers.sending.delivery import Delivered, Wait, where
from producers.sending.outbox import OnDelivery, Outbox, closed, left_behind, queue_full
from producers.sending.preparing import Preparing
from producers.sending.send_methods import SendMethods
from schemas.catalog import Catalog
from schemas.registry import catalog_for

#: After so many events other threads may put theirs.
_TURN: Final = 512
#: As of `Producer`: a full queue is filled again when a quarter of it is confirmed.
_REFILL: Final = 0.25


class SyncProducer(SendMethods[Delivered]):
    """Sends events: `with SyncProducer() as p: p.chat("wc26-final", "What a goal!")`.

    All that is said of `Producer` holds for it.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        catalog: Catalog | None = None,
        clock: Clock | None = None,
    ) -> None:
        given = settings or load_settings()
        self._clock: Final = clock or SystemClock()
        self.prepare = Preparing(topic_names(given), catalog or catalog_for(given))
        self._turns = Counter()
        self._announced = {}
        self._answers: Final = Answers(given)
        self._progress: Final = threading.Condition()
        self._outbox: Outbox | None = Outbox(given, self._notify)
        self._contact: Final = self._outbox.contact

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def connected(self) -> None:
        """Wait until Kafka has answered. Raises `unavailable` where it does not in `connect_timeout_s`."""
        self._contact.wait()

    def send(self, post: AnyPost, *, spread: int = 0, wait: Wait | None = None) -> Delivered:
        """Send an event, and wait until Kafka holds it on all in-sync replicas, or until it is accepted."""
        if wait is None:
            return self.submit(post, spread=spread).result()
        confirmation: Future[Delivered] = Future()
        record, until = self.prepare(self.on_lane(post, spread)), self._clock.monotonic() + WITHIN_S
        question = self._answers.ask()
        try:
            asked = [*question.headers, *(current() or ())]
            self._put(record, partial(self._report, confirmation), wait=True, headers=asked, until=until)
            # An event that is not confirmed is not answered either.
            delivered = confirmation.result(until - self._clock.monotonic())
            position = question.answer.result(max(0.0, until - self._clock.monotonic()))
        except TimeoutError:
            raise NotAnswered from None
        finally:
            question.forget()
        return delivered._replace(seq=position.seq, id=position.id)

    def submit(self, post: AnyPost, *, wait: bool = True, spread: int = 0) -> Future[Delivered]:
        """Send an event without waiting for Kafka: the future that is returned tells what became of it.

        It waits while too many are on their way; with `wait=False` it raises `queue_full` instead.
        """
        confirmation: Future[Delivered] = Future()
        confirmation.set_running_or_notify_cancel()  # what is on its way cannot be called back
        record = self.prepare(self.on_lane(post, spread))
        self._put(record, partial(self._report, confirmation), wait=wait, headers=current())
        return confirmation

    def send_many(self, posts: Iterable[AnyPost], *, spread: int = 0) -> int:
        """Send any number of events in order, and wait for all; returns how many there were.

        Raises SomeNotDelivered, which names those that were invalid or not confirmed; the rest is delivered.
        """
        items = iter(posts if not spread else (self.on_lane(post, spread) for post in posts))
        batch = Batch(self.prepare, self._contact.explain, current())
        filled = Filled.PAUSE
        while filled is not Filled.END:
            with self._progress:
                outbox = self._open()
                with outbox.heard_here() as hear:
                    filled = batch.fill(items, outbox.produce, _TURN)
                    hear()
                if filled is Filled.FULL:
                    self._wait_for_room(outbox)
        with self._progress:
            self._progress.wait_for(lambda: batch.complete)
        return batch.result()

    def flush(self) -> None:
        """Wait until all that was sent is confirmed or has failed."""
        with self._progress:
            self._progress.wait_for(lambda: self._outbox is None or not self._outbox.waiting)

    def close(self, timeout_s: float = 30.0) -> None:
        """Wait for what is on its way, at most `timeout_s`. Raises `not_delivered` if any is left then."""
        with self._progress:
            outbox, self._outbox = self._outbox, None
        self._answers.close()
        if outbox is not None and (left := outbox.close(timeout_s)):
            raise left_behind(left, timeout_s)

    def _put(
        self,
        record: Record,
        on_delivery: OnDelivery,
        *,
        wait: bool,
        headers: Headers | None = None,
        until: float | None = None,
    ) -> None:
        """Raises TimeoutError where there is no room until then."""
        with self._progress:
            while not self._open().put(record, on_delivery, headers):
                if not wait:
                    raise queue_full()
                left = None if until is None else until - self._clock.monotonic()
                if left is not None and left <= 0:
                    raise TimeoutError
                self._progress.wait(left)

    def _wait_for_room(self, outbox: Outbox) -> None:
        enough = outbox.waiting * (1 - _REFILL)
        self._progress.wait_for(lambda: outbox.waiting <= enough)

    def _announce(self, record: Record) -> bool:
        with self._progress:
            return self._open().put(record, lambda _, __: None)

    def _open(self) -> Outbox:
        if self._outbox is None:
            raise closed()
        return self._outbox

    def _notify(self) -> None:
        with self._progress:
            self._progress.notify_all()

    def _report(self, confirmation: Future[Delivered], error: Any, message: Any) -> None:
        if error is None:
            confirmation.set_result(where(message))
        else:
            confirmation.set_exception(self._contact.explain(error))
