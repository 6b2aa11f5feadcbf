"""Where a worker's outputs go: librdkafka's producers, and a barrier that says when all is on the brokers."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from confluent_kafka import KafkaError, Message, Producer

from kernel.clock import Clock
from kernel.errors import TouchlineError
from kernel.log.first_write import KEY
from kernel.log.records import Write

#: Outputs under way, unless another bound is given; more, and the agents wait.
_MAX_QUEUED: Final = 100_000
_MAX_QUEUED_KBYTES: Final = 128 * 1024
#: How long a barrier hopes for a moment in which nothing is under way, before it makes one. To make one holds
#: the agents for as long as all takes that is under way: with 50 ms it was a part of the latency's tail.
_PATIENCE_S: Final = 0.5
_STEP_S: Final = 0.001
_ANSWER_S: Final = 10.0
#: Outputs between two looks at the bound.
_AT_ONCE: Final = 1000


class Sink:
    """Idempotent producers. The order in each partition is kept, and a lost output ends the worker.

    Each group of topics that are `apart` has a producer of its own, with connections of its own: brokers do
    the requests of one connection one after the other, so what somebody waits for does not wait for the rest.
    And a producer looks at each partition that it has heard of, thousands of times a second: what is written
    for each event shares none with the many topics that are written now and then.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        *,
        linger_ms: float,
        clock: Clock,
        max_queued: int = _MAX_QUEUED,
        apart: Sequence[Collection[str]] = (),
    ) -> None:
        self._max_queued, self._monotonic = max_queued, clock.monotonic
        self._error: KafkaError | None = None
        self._gate: asyncio.Future[None] | None = None
        self._written = 0
        #: What belongs to no slice and found no room.
        self._late: list[Write] = []
        self._confirmed = 0
        self._rest, *own = self._producers = [
            self._producer(config, linger_ms) for _ in range(1 + len(apart))
        ]
        self._owner = {topic: owner for owner, topics in zip(own, apart, strict=True) for topic in topics}
        self._shared = self._rest.produce
        self._apart = {topic: owner.produce for topic, owner in self._owner.items()}

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
        for topic in topics:
            writer = self._owner.get(topic, self._rest)
            await asyncio.to_thread(writer.list_topics, topic, timeout=_ANSWER_S)

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

    async def put(self, writes: Sequence[Write], counts: Callable[[], bool]) -> bool:
        """Write these, in this order, after `ready`; waits for room within them, too.

        One event may go to hundreds of shards, and a slice may hold more than there is room for. False: after
        a wait they did not count any more (`counts`), and the rest is left to who has the partitions now.
        """
        apart, shared = self._apart.get, self._shared
        # Arguments by name would cost a third more. The two that are None: nobody is told of each output.
        for start in range(0, len(writes), _AT_ONCE):
            if start:
                await self.ready()
                if not counts():
                    return False
            for topic, value, key, partition, timestamp, headers in writes[start : start + _AT_ONCE]:
                while True:
                    try:
                        apart(topic, shared)(topic, value, key, partition, None, None, timestamp, headers)
                        break
                    except BufferError:
                        await self._some_room()
                        if not counts():
                            return False
        return True

    async def _some_room(self) -> None:
        """Wait until less than half of what may be queued is."""
        full = self.queued
        while self.queued > full // 2:
            await asyncio.sleep(_STEP_S)
            self._poll()
        self._written += 1

    def write(self, writes: Iterable[Write]) -> None:
        """Write these, in this order. Only after `ready`, with no await in between; not many."""
        apart, shared = self._apart.get, self._shared
        for topic, value, key, partition, timestamp, headers in writes:
            apart(topic, shared)(topic, value, key, partition, None, None, timestamp, headers)

    def write_apart(self, writes: Iterable[Write]) -> None:
        """Write what belongs to no slice, and was not waited for with `ready`; it may be late."""
        self._late += writes
        self._write_late()
        self._written += 1

    async def first_write(self, topic: str) -> None:
        """Return when each producer has written a record that means nothing: from then on, they all write."""
        for producer in self._producers:
            producer.produce(topic, None, KEY, 0)
        self._written += 1
        await self.barrier()

    def _write_late(self) -> None:
        try:
            while self._late:
                self.write(self._late[:1])
                del self._late[0]
        except BufferError:
            return

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
        if self._late:
            self._write_late()
        if not self.queued:
            self._confirmed = self._written

    def _on_delivery(self, error: KafkaError | None, _: Message) -> None:
        if error is not None and self._error is None:
            self._error = error

    def _on_error(self, error: KafkaError) -> None:
        if error.fatal() and self._error is None:
            self._error = error
