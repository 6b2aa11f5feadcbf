"""Where a worker's outputs go: librdkafka's producers, and a barrier that says when all is on the brokers."""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from confluent_kafka import KafkaError, Message, Producer

from kernel.clock import Clock
from kernel.errors import TouchlineError
from kernel.first_write import KEY
from kernel.records import Write

#: Outputs under way, unless another bound is given; more, and the agents wait.
_MAX_QUEUED: Final = 100_000
_MAX_QUEUED_KBYTES: Final = 128 * 1024
#: How long a barrier hopes for a moment in which nothing is under way, before it makes one. To make one holds
#: the agents for as long as all takes that is under way: with 50 ms it was a part of the latency's tail.
_PATIENCE_S: Final = 0.5
_STEP_S: Final = 0.001
_ANSWER_S: Final = 10.0


class Sink:
    """Idempotent producers. The order in each partition is kept, and a lost output ends the worker.

    What goes to the topics `apart` has a producer of its own, and with it connections of its own: brokers do
    the requests of one connection one after the other, so what somebody waits for does not wait for the rest.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        *,
        linger_ms: float,
        clock: Clock,
        max_queued: int = _MAX_QUEUED,
        apart: Collection[str] = (),
    ) -> None:
        self._max_queued, self._monotonic = max_queued, clock.monotonic
        self._error: KafkaError | None = None
        self._gate: asyncio.Future[None] | None = None
        self._written = 0
        self._confirmed = 0
        self._producers = [self._producer(config, linger_ms) for _ in range(2 if apart else 1)]
        self._shared = self._producers[0].produce
        self._apart = dict.fromkeys(apart, self._producers[-1].produce)

    def _producer(self, config: Mapping[str, Any], linger_ms: float) -> Producer:
        return Producer(
            {
                "linger.ms": linger_ms,
                "batch.num.messages": 10_000,
                "batch.size": 1_000_000,
                # Agents look at the bound before a slice, which may have many outputs of each record.
                "queue.buffering.max.messages": max(self._max_queued, _MAX_QUEUED) * 2,
                "queue.buffering.max.kbytes": _MAX_QUEUED_KBYTES,
                "message.max.bytes": 2 * 1024 * 1024,
                "delivery.timeout.ms": 60_000,
                **config,
                "acks": "all",
                "enable.idempotence": True,
                # A report for each output would cost more than the output; errors are all that matters.
                "delivery.report.only.error": True,
                "on_delivery": self._on_delivery,
                "error_cb": self._on_error,
            }
        )

    async def learn(self, topics: Collection[str]) -> None:
        """Ask which partitions these topics have: what was added lately is refused as unknown otherwise."""
        for producer in self._producers:
            for topic in topics:
                await asyncio.to_thread(producer.list_topics, topic, timeout=_ANSWER_S)

    async def ready(self) -> None:
        """Wait for room. To be awaited before each slice of outputs; raises once any output was lost."""
        if self._gate is not None:
            await self._gate
        self._poll()
        while self.queued > self._max_queued:
            await asyncio.sleep(_STEP_S)
            self._poll()
        # Only now, and with no await before the caller's outputs: a poll that finds nothing under way
        # confirms everything written so far, so it must not run between this line and the outputs.
        self._written += 1

    def write(self, writes: Iterable[Write]) -> None:
        """Write these, in this order. Only after `ready`, with no await in between."""
        apart, shared = self._apart.get, self._shared
        for topic, value, key, partition, timestamp, headers in writes:
            apart(topic, shared)(topic, value, key, partition, timestamp=timestamp, headers=headers)

    def write_apart(self, writes: Iterable[Write]) -> None:
        """Write what belongs to no slice, and was not waited for with `ready`."""
        self.write(writes)
        self._written += 1

    async def first_write(self, topic: str) -> None:
        """Return when each producer has written a record that means nothing: from then on, they all write."""
        for producer in self._producers:
            producer.produce(topic, None, KEY, 0)
        self._written += 1
        await self.barrier()

    async def barrier(self) -> None:
        """Return once every output that was produced before is on the brokers.

        While traffic is light there are moments in which nothing is under way, and nobody waits for the
        barrier. Under load there are none: then agents are held at `ready` for a few milliseconds.
        """
        target = self._written
        hope = self._monotonic() + _PATIENCE_S
        try:
            self._poll()
            while self._confirmed < target:
                if self._gate is None and self._monotonic() > hope:
                    self._gate = asyncio.get_running_loop().create_future()
                await asyncio.sleep(_STEP_S)
                self._poll()
        finally:
            gate, self._gate = self._gate, None
            if gate is not None:
                gate.set_result(None)

    @property
    def queued(self) -> int:
        """Outputs under way."""
        return sum(map(len, self._producers))

    def _poll(self) -> None:
        for producer in self._producers:
            producer.poll(0)
        if self._error is not None:
            raise TouchlineError(
                "not_delivered", f"Kafka did not take an output of this worker: {self._error.str()}."
            )
        if not self.queued:
            self._confirmed = self._written

    def _on_delivery(self, error: KafkaError | None, _: Message) -> None:
        if error is not None and self._error is None:
            self._error = error

    def _on_error(self, error: KafkaError) -> None:
        if error.fatal() and self._error is None:
            self._error = error
