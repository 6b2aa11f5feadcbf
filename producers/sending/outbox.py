"""The way to Kafka that both producers share: a bounded queue, and a thread that hears what became of events.

It knows no event loop: `put` never waits, and says whether there was room. How to wait is the caller's.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from confluent_kafka import KafkaException

from kernel.errors import TouchlineError
from kernel.log.kafka import client_config
from kernel.log.producing import LastingProducer
from kernel.log.records import Headers
from kernel.settings.reading import Settings
from producers.posts import Record
from producers.sending.delivery import failed
from producers.sending.reachability import Contact

#: Called in the delivery thread with (KafkaError or None, Message).
OnDelivery = Callable[[Any, Any], None]
Produce = Callable[..., None]
_POLL_S: Final = 0.1
_PURGE_S: Final = 5.0
#: A Kafka under load confirms many times a second.
_SILENT_S: Final = 3.0


def properties(settings: Settings) -> dict[str, Any]:
    """librdkafka's properties for a producer that neither loses, doubles nor reorders."""
    own = settings.producer
    return client_config(
        settings,
        enable_idempotence=True,
        acks="all",
        # Kafka's own partitioner: a channel lies in the partition where every other client would put it.
        partitioner="murmur2_random",
        linger_ms=own.linger_ms,
        compression_type=own.compression,
        batch_size=own.batch_bytes,
        queue_buffering_max_messages=own.max_in_flight,
        queue_buffering_max_kbytes=max(1, own.max_in_flight_bytes // 1024),
        message_timeout_ms=round(own.delivery_timeout_s * 1000),
        message_max_bytes=2 * 1024 * 1024,
    )


class Outbox:
    """Records on their way."""

    def __init__(self, settings: Settings, on_progress: Callable[[], None]) -> None:
        """`on_progress` is called in the delivery thread after each batch of reports: there may be room."""
        self.contact: Final = Contact(settings)
        self._kafka = LastingProducer({**properties(settings), "error_cb": self.contact.note})
        self._on_progress = on_progress
        self._stopping = threading.Event()
        self._callers_turn = 0
        self._threads_turn = threading.Event()
        self._threads_turn.set()
        # Reports are heard in one thread at a time: callbacks need no locks of their own.
        self._hearing = threading.Lock()
        self._thread = threading.Thread(target=self._hear, name="touchline-deliveries", daemon=True)
        self._thread.start()

    @property
    def produce(self) -> Produce:
        """Kafka's own, for `Batch`: (topic, value, key, -1, on_delivery, None, 0 (now), headers)."""
        return self._kafka.produce

    def put(self, record: Record, on_delivery: OnDelivery, headers: Headers | None = None) -> bool:
        """Queue a record; False if the queue is full. Raises TouchlineError if Kafka would never take it."""
        try:
            topic, key, value = record
            self.produce(topic, value, key, -1, on_delivery, None, 0, headers)
        except BufferError:
            return False
        except KafkaException as error:
            raise failed(error.args[0]) from error
        return True

    @contextmanager
    def heard_here(self) -> Iterator[Callable[[], None]]:
        """While many events are put: the caller handles the reports, by calling what this yields.

        Two busy threads hand Python's lock to and fro at a price of a third of the rate.
        """
        self._callers_turn += 1
        self._threads_turn.clear()
        try:
            yield self._hear_now
        finally:
            self._callers_turn -= 1
            if not self._callers_turn:
                self._threads_turn.set()

    @property
    def waiting(self) -> int:
        """How many records are not reported yet."""
        return len(self._kafka)

    def close(self, timeout_s: float) -> int:
        """Wait for reports, then give up on what is left, whose reports fail; returns how many those were."""
        # From here on reports are heard in this thread: two at once would need locks in every callback.
        self._stopping.set()
        self._threads_turn.set()
        self._thread.join()
        left = self._kafka.flush(timeout_s)
        if left:
            self._kafka.purge()
            self._kafka.flush(_PURGE_S)
        self._on_progress()
        return left

    def _hear(self) -> None:
        while not self._stopping.is_set() and not self.contact.seek(self._kafka):
            self._hear_now()
        while not self._stopping.is_set():
            self._threads_turn.wait()
            with self._hearing:
                heard = self._kafka.poll(_POLL_S)
            if heard:
                self._on_progress()

    def _hear_now(self) -> None:
        if self._hearing.acquire(blocking=False):
            try:
                heard = self._kafka.poll(0)
            finally:
                self._hearing.release()
            if heard:
                self._on_progress()


def queue_full(silent_s: float = 0.0) -> TouchlineError:
    """No room; if Kafka has confirmed nothing for a while, because it does not answer."""
    if silent_s > _SILENT_S:
        return TouchlineError(
            "unavailable",
            "Kafka does not answer, and no more events can wait for it.",
            hint="Try again later.",
        )
    return TouchlineError(
        "queue_full", "Too many events wait for Kafka's confirmation.", hint="Send slower, or wait for room."
    )


def closed() -> TouchlineError:
    return TouchlineError("closed", "The producer was closed.", hint="Make a new one.")


def not_open() -> TouchlineError:
    return TouchlineError(
        "closed", "The producer is not open.", hint="Use it as `async with Producer() as p:`."
    )


def left_behind(count: int, timeout_s: float) -> TouchlineError:
    return TouchlineError(
        "not_delivered",
        f"The producer was closed with {count} events on their way that Kafka had not confirmed"
        f" within {timeout_s:g} s.",
    )
