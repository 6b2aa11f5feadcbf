"""Reads fan-out topics in a thread, and hands what came to the loop: at once while idle, in ticks while busy.

The thread reads on only when the loop has written what it was given. So under load batches grow, and never
queue.
"""

import asyncio
import sys
import threading
from collections.abc import Callable
from time import thread_time
from typing import Any, Final, Protocol

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from consumers.cluster.assignment import Assign
from consumers.cluster.partitions import Partition
from consumers.delivery.hub import Raw
from consumers.delivery.traces import EdgeTraces
from kernel.clock import Clock
from kernel.log.lag import LagGauge, lags
from kernel.process.logs import get_logger

_log = get_logger("touchline.reader")
MAX_BATCH: Final = 2000
#: What goes out in one round is bounded, so that nobody's socket gets more than this in one go.
MAX_ROUND_BYTES: Final = 512 * 1024
#: The rest after a cheap round is so many times as long as the round …
_CHEAP: Final = 1.5
#: … and after one that takes longer than this it soon is a tick, so that more goes out in each.
_CHEAP_S: Final = 0.001
_DEAR: Final = 8.0
_IDLE_S: Final = 0.25
_QUIET_S: Final = 1.0
#: A cell has edges without a partition when it has more edges than partitions: after this time, this is one.
_SHARE_S: Final = 5.0
_LAG_EVERY_S: Final = 2.0


class Listener(Protocol):
    """Whoever is told, in the loop, what the reader does."""

    def take(self, topic: str, records: list[Raw]) -> object: ...

    def assigned(self, partitions: set[Partition], whole: set[Partition], counts: dict[str, int]) -> None: ...

    def filled(self, partition: Partition) -> None: ...

    def revoked(self, partitions: set[Partition]) -> None: ...

    def trouble(self, why: str) -> None: ...

    def failed(self, error: Exception) -> None: ...


class Reader(threading.Thread):
    """One consumer, from some way back in its partitions to their ends, and then on."""

    def __init__(
        self,
        config: dict[str, Any],
        assign: Assign,
        *,
        tick_s: float,
        listener: Listener,
        loop: asyncio.AbstractEventLoop,
        clock: Clock,
        traces: EdgeTraces | None = None,
    ) -> None:
        super().__init__(name="fanout-reader", daemon=True)
        self._config, self._assign, self._tick_s = config, assign, tick_s
        self._listener, self._loop, self._clock = listener, loop, clock
        self._traces = traces
        self._stopping = threading.Event()
        self._written = threading.Event()
        #: What the loop has spent on the round, in processor time: waiting for one is no reason to rest.
        self._spent_s = 0.0
        #: Partitions that are still being filled: where their end was; None: that is not known yet.
        self._ends: dict[Partition, int | None] = {}
        self._counts: dict[str, int] | None = None

    def stop(self) -> None:
        """End after the batch in hand."""
        self._stopping.set()
        self._written.set()

    def run(self) -> None:
        try:
            consumer = Consumer({**self._config, "error_cb": self._heard})
            try:
                self._begin(consumer)
                self._read(consumer)
            finally:
                consumer.close()
        except:  # noqa: E722 - what Kafka's callbacks raise arrives here as no exception that Python knows
            came = sys.exc_info()[1]
            self._notify(
                self._listener.failed, came if isinstance(came, Exception) else KafkaException(str(came))
            )

    def _begin(self, consumer: Consumer) -> None:
        while not self._stopping.is_set():
            try:
                self._assign(consumer, self)
                return
            except (KafkaException, KeyError) as error:
                # The broker, or the topics' leaders, are not there yet.
                _log.warning("waiting for the fan-out topics", why=str(error))
                self._stopping.wait(_QUIET_S)

    # ── of its partitions (it is what `Assign` tells) ────────────────────────────────────────────────

    def begin(
        self, partitions: dict[Partition, int | None], whole: set[Partition], counts: dict[str, int]
    ) -> None:
        self._counts = None
        self._notify(self._listener.assigned, set(partitions), whole, counts)
        for partition, end in partitions.items():
            if end is not None and end < 0:
                self._notify(self._listener.filled, partition)
            else:
                self._ends[partition] = end

    def counted(self, counts: dict[str, int]) -> None:
        self._counts = counts

    def end(self, partitions: set[Partition]) -> None:
        for partition in partitions:
            self._ends.pop(partition, None)
        self._notify(self._listener.revoked, partitions)

    def _read(self, consumer: Consumer) -> None:
        monotonic, rest_until, quiet, counted = self._clock.monotonic, 0.0, 0, 0.0
        gauge = LagGauge()
        while not self._stopping.is_set():
            if monotonic() - counted >= _LAG_EVERY_S:
                counted = monotonic()
                gauge.tell(lags(consumer))
            # Idle: the first record is taken as it comes. Busy: what comes until the rest is over joins it.
            messages = consumer.consume(1, _IDLE_S)
            if not messages:
                quiet += 1
                if self._counts is not None and quiet * _IDLE_S >= _SHARE_S:
                    self.begin({}, set(), self._counts)
                if self._ends and quiet * _IDLE_S >= _QUIET_S:
                    self._look_whether_filled(consumer, at_rest=True)
                continue
            quiet = 0
            messages += consumer.consume(MAX_BATCH - 1, max(rest_until - monotonic(), 0.0))
            followed = [] if self._traces is None or self._ends else self._traces.read(messages)
            self._spent_s = 0.0
            batches: dict[str, list[Raw]] = {}
            size = 0
            for message in messages:
                if (error := message.error()) is not None:
                    self._heard(error)
                    continue
                value = message.value()
                if value is None:
                    continue
                topic, partition = message.topic() or "", message.partition() or 0
                batches.setdefault(topic, []).append(Raw(partition, message.key() or b"", value))
                size += len(value)
                if size >= MAX_ROUND_BYTES:
                    self._hand_over(batches)
                    batches, size = {}, 0
            self._hand_over(batches)
            if self._traces is not None and followed:
                self._traces.written(followed)
            rest_until = monotonic() + rest_after(self._spent_s, self._tick_s)
            if self._ends:
                self._look_whether_filled(consumer)

    def _hand_over(self, batches: dict[str, list[Raw]]) -> None:
        for topic, batch in batches.items():
            self._written.clear()
            self._notify(self._write, topic, batch)
            self._written.wait()

    def _write(self, topic: str, batch: list[Raw]) -> None:
        began_s = thread_time()
        try:
            self._listener.take(topic, batch)
        finally:
            # The transports write at the end of this turn of the loop: only then read on.
            self._loop.call_soon(self._wrote, began_s)

    def _wrote(self, began_s: float) -> None:
        self._spent_s += thread_time() - began_s
        self._written.set()

    def _look_whether_filled(self, consumer: Consumer, *, at_rest: bool = False) -> None:
        for at in consumer.position([TopicPartition(*partition) for partition in self._ends]):
            partition = at.topic, at.partition
            # Known since something was fetched: what a leader could not be asked it says with its records.
            _, high = consumer.get_watermark_offsets(at, cached=True)
            end = self._ends[partition]
            if end is None and high >= 0:
                end = self._ends[partition] = high
            # Transactions leave markers at a log's end that are not handed out: then quiet means the end.
            if end is not None and (at.offset >= end or (at_rest and max(at.offset, high) >= 0)):
                del self._ends[partition]
                self._notify(self._listener.filled, partition)

    def _heard(self, error: KafkaError) -> None:
        if error.code() == KafkaError._ALL_BROKERS_DOWN:
            self._notify(self._listener.trouble, "no broker answers")
        elif error.fatal():
            raise KafkaException(error)
        else:
            _log.warning("kafka", error=error.str())

    def _notify(self, call: Callable[..., object], *arguments: Any) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call, *arguments)


def rest_after(spent_s: float, tick_s: float) -> float:
    """How long to collect after a round: a tick at most, and hardly at all if it cost hardly anything."""
    return min(tick_s, max(_CHEAP * spent_s, _DEAR * (spent_s - _CHEAP_S)))
