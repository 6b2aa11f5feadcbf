"""Batches, read with librdkafka in the event loop, while Faust's consumer keeps the group's membership.

aiokafka keeps one fetch in flight per broker, so idle partitions hold back busy ones for as long as the
fetch waits, and it parses records under the interpreter's lock. librdkafka does neither (decision 0030). It
fetches in threads of its own; what it has is taken without a wait, and no thread of Python's stands between
a record and its agent (0037).
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Message, TopicPartition

from kernel.clock import Clock
from kernel.log.kafka import check_read_error
from kernel.log.lag import behind
from kernel.log.records import Partition, Record
from streams.transport.batch import PartitionBatch, TopicBatch

#: Between two looks at what has been fetched. What comes meanwhile shares a batch, which costs as much as ten
#: records.
_TICK_S: Final = 0.001
#: Where nothing came for so long, a thread waits for the next record, and hands it over at once.
_BUSY_S: Final = 0.02
#: How long that thread waits at a time: also how soon it is noticed that reading should stop.
_WAIT_S: Final = 0.1
#: How often the ends of the partitions are looked up, for the lag.
_NOTE_EVERY_S: Final = 0.5
#: While there is no room nothing is fetched, so after so long the brokers are asked for the ends.
_ASK_EVERY_S: Final = 1.0
_ASK_S: Final = 0.5

Deliver = Callable[[TopicBatch], Awaitable[None]]


class Reader:
    """Reads the partitions that it is given, from the offsets that it is given, into batches for `deliver`.

    No more than `depth` batches are out at a time: when agents can't keep up nothing is taken, librdkafka's
    queue fills, and fetching pauses.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        deliver: Deliver,
        *,
        clock: Clock,
        max_records: int = 1000,
        depth: int = 6,
    ) -> None:
        self._deliver, self._monotonic = deliver, clock.monotonic
        self._max_records, self._depth = max_records, depth
        self._changed = asyncio.Event()
        self._out = 0
        self._opening = 0
        self._current = 0
        self._wanted: Mapping[Partition, int] | None = None
        self._stopping = False
        self._reading: tuple[Partition, ...] = ()
        self._ends: dict[Partition, tuple[int, int]] = {}
        self._noted_at = 0.0
        self._consumer = Consumer(
            {
                "fetch.wait.max.ms": 500,
                "fetch.queue.backoff.ms": 10,
                "queued.min.messages": 50_000,
                "queued.max.messages.kbytes": 32 * 1024,
                "fetch.message.max.bytes": 2 * 1024 * 1024,
                **config,
                # Positions and membership are not this consumer's affair: it never commits.
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "auto.offset.reset": "earliest",
            }
        )

    def open(self, starts: Mapping[Partition, int], opening: int) -> None:
        """Read these partitions from here on (an offset below 0: from the beginning), and no others."""
        self._wanted = dict(starts)
        self._opening = opening
        self._out = 0
        self._changed.set()

    def close(self, opening: int) -> None:
        """Read nothing until opened again."""
        self.open({}, opening)

    def release(self, opening: int) -> None:
        """A batch is finished: there is room for another."""
        if opening == self._opening:
            self._out -= 1
            self._changed.set()

    def stop(self) -> None:
        """Let `run` end, soon."""
        self._stopping = True
        self._changed.set()

    def lag(self, place: Partition, position: int) -> int | None:
        """Records from `position` to the end of the partition, as the last fetches told; None: not known."""
        low, high = self._ends.get(place, (-1, -1))
        return behind(position, position, low, high)

    async def run(self) -> None:
        """Read until stopped."""
        consume, most, monotonic = self._consumer.consume, self._max_records, self._monotonic
        busy_until = 0.0
        try:
            while await self._may_read():
                self._note_ends()
                messages = consume(most, 0)
                if not messages and monotonic() > busy_until:
                    first = await asyncio.to_thread(consume, 1, _WAIT_S)
                    messages = first and first + consume(most - 1, 0)
                if messages:
                    busy_until = monotonic() + _BUSY_S
                    for batch in batches_of(messages, self._current):
                        if batch.opening == self._opening:
                            self._out += 1
                        await self._deliver(batch)
                await asyncio.sleep(_TICK_S if len(messages) < most else 0)
        finally:
            await asyncio.to_thread(self._consumer.close)

    async def _may_read(self) -> bool:
        """Wait until there is room for a batch; False at the end."""
        while not self._stopping:
            if self._wanted is not None:
                wanted, self._wanted = self._wanted, None
                self._current = self._opening
                await asyncio.to_thread(self._assign, wanted)
            elif self._out < self._depth:
                return True
            else:
                self._changed.clear()
                try:
                    async with asyncio.timeout(_ASK_EVERY_S):
                        await self._changed.wait()
                except TimeoutError:
                    await asyncio.to_thread(self._ask_ends)
        return False

    def _assign(self, wanted: Mapping[Partition, int]) -> None:
        self._reading, self._ends = tuple(wanted), {}
        self._consumer.assign(
            [
                TopicPartition(p.topic, p.partition, offset if offset >= 0 else OFFSET_BEGINNING)
                for p, offset in wanted.items()
            ]
        )

    # Ends are looked up between two polls only: a look from elsewhere waits for a poll that is under way, and
    # for the next, again and again.

    def _note_ends(self) -> None:
        now = self._monotonic()
        if now - self._noted_at > _NOTE_EVERY_S:
            self._noted_at = now
            self._look_up_ends()

    def _look_up_ends(self) -> None:
        """As the last fetches knew them."""
        for place in self._reading:
            at = TopicPartition(place.topic, place.partition)
            self._ends[place] = self._consumer.get_watermark_offsets(at, cached=True)

    def _ask_ends(self) -> None:
        """As the brokers know them; where they do not answer, as the last fetches did."""
        try:
            self._look_up_ends()
            for place in self._reading:
                at = TopicPartition(place.topic, place.partition)
                self._ends[place] = self._consumer.get_watermark_offsets(at, timeout=_ASK_S)
        except KafkaException:
            return


def batches_of(messages: list[Message], opening: int) -> list[TopicBatch]:
    """A batch for each topic that these records are of."""
    # Plain tuples find their place, and records are made without their class's own constructor: together
    # that is half of what reading costs the loop.
    by_place: dict[tuple[str, int], list[Record]] = {}
    new, record_type = tuple.__new__, Record
    message: Any  # librdkafka's fields are all optional to mypy; of a record none is
    for message in messages:
        error = message.error()
        if error is not None:
            check_read_error(error)
            continue
        record = new(
            record_type,
            (message.offset(), message.timestamp()[1], message.key(), message.value(), message.headers()),
        )
        place = (message.topic(), message.partition())
        records = by_place.get(place)
        if records is None:
            by_place[place] = [record]
        else:
            records.append(record)
    by_topic: dict[str, list[PartitionBatch]] = {}
    for (topic, partition), records in by_place.items():
        by_topic.setdefault(topic, []).append(PartitionBatch(Partition(topic, partition), records))
    return [TopicBatch(topic, opening, parts) for topic, parts in by_topic.items()]
