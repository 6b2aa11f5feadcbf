"""A thread that reads batches with librdkafka, while Faust's consumer keeps the group's membership.

aiokafka keeps one fetch in flight per broker, so idle partitions hold back busy ones for as long as the
fetch waits, and it parses records under the interpreter's lock. librdkafka does neither; see
docs/decisions/0030-batch-transport.md.
"""

import threading
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any, Final

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from streams.transport.batch import Batch, Place, Record, Turn

#: How long a poll waits for a first record: also how soon the thread notices that it should stop.
_POLL_S: Final = 0.1

#: What comes so soon after the last turns joins those that come with it: a turn costs as much as ten records.
_TICK_S: Final = 0.002
#: After how many polls the ends of the partitions are looked up, for the lag.
_NOTE_EVERY: Final = 8
#: While reading waits nothing is fetched, so after so many waits the brokers are asked for the ends.
_ASK_EVERY: Final = 10
_ASK_S: Final = 0.5

Deliver = Callable[[list[Turn]], None]
Fail = Callable[[BaseException], None]


class Reader(threading.Thread):
    """Reads the partitions that it is given, from the offsets that it is given.

    `deliver` and `fail` are called in this thread, and must be quick. No more than `depth` turns are out
    at a time: when agents can't keep up the thread waits, librdkafka's queue fills, and fetching pauses.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        deliver: Deliver,
        fail: Fail,
        *,
        max_records: int = 1000,
        depth: int = 6,
    ) -> None:
        super().__init__(name="batch-reader", daemon=True)
        self._deliver, self._fail = deliver, fail
        self._max_records, self._depth = max_records, depth
        self._state = threading.Condition()
        self._out = 0
        self._opening = 0
        self._current = 0
        self._wanted: dict[Place, int] | None = None
        self._paused = False
        self._stopping = False
        self._reading: tuple[Place, ...] = ()
        self._ends: dict[Place, int] = {}
        self._polls = 0
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

    def open(self, starts: Mapping[Place, int], opening: int) -> None:
        """Read these partitions from here on (an offset below 0: from the beginning), and no others."""
        with self._state:
            self._wanted = dict(starts)
            self._opening = opening
            self._out = 0
            self._state.notify_all()

    def close(self, opening: int) -> None:
        """Read nothing until opened again."""
        self.open({}, opening)

    def pause(self, paused: bool) -> None:
        """Hold back, or go on, at the same place."""
        with self._state:
            self._paused = paused
            self._state.notify_all()

    def release(self, opening: int) -> None:
        """A turn is finished: there is room for another."""
        with self._state:
            if opening == self._opening:
                self._out -= 1
                self._state.notify_all()

    def stop(self) -> None:
        """End the thread; returns at once, `join` waits."""
        with self._state:
            self._stopping = True
            self._state.notify_all()

    def lag(self, place: Place, position: int) -> int:
        """Records from `position` to the end of the partition, as the last fetches knew it."""
        return max(0, self._ends.get(place, 0) - position)

    def run(self) -> None:
        rest_until = 0.0
        try:
            while self._ready():
                self._note_ends()
                first = self._consumer.consume(1, _POLL_S)
                if first:
                    # At once, with what else is there, unless turns went on just now.
                    rest = max(rest_until - monotonic(), 0.0)
                    self._hand_over(first + self._consumer.consume(self._max_records - 1, rest))
                    rest_until = monotonic() + _TICK_S
        except BaseException as error:
            self._fail(error)
        finally:
            self._consumer.close()

    def _ready(self) -> bool:
        """Wait until there is something to read and room for it; False at the end."""
        waited = 0
        while True:
            if waited and waited % _ASK_EVERY == 0:
                self._ask_ends()
            with self._state:
                if self._stopping:
                    return False
                wanted, self._wanted = self._wanted, None
                if wanted is not None:
                    self._current = self._opening
                if wanted is None and (self._out >= self._depth or self._paused):
                    waited += not self._state.wait(_POLL_S)
                    continue
            if wanted is not None:
                self._reading, self._ends = tuple(wanted), {}
                self._consumer.assign(
                    [
                        TopicPartition(p.topic, p.partition, offset if offset >= 0 else OFFSET_BEGINNING)
                        for p, offset in wanted.items()
                    ]
                )
            return True

    def _note_ends(self) -> None:
        # In this thread: while a poll is under way, a call from another one waits for it, again and again.
        self._polls += 1
        if self._polls % _NOTE_EVERY == 0:
            self._look_up_ends()

    def _look_up_ends(self) -> None:
        """As the last fetches knew them."""
        for place in self._reading:
            at = TopicPartition(place.topic, place.partition)
            _, self._ends[place] = self._consumer.get_watermark_offsets(at, cached=True)

    def _ask_ends(self) -> None:
        """As the brokers know them; where they do not answer, as the last fetches did."""
        try:
            self._look_up_ends()
            for place in self._reading:
                at = TopicPartition(place.topic, place.partition)
                _, self._ends[place] = self._consumer.get_watermark_offsets(at, timeout=_ASK_S)
        except KafkaException:
            return

    def _hand_over(self, messages: list[Message]) -> None:
        # Plain tuples find their place, and records are made without their class's own constructor: together
        # that is half of what this thread did with each record, while it holds the interpreter.
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
        by_topic: dict[str, list[Batch]] = {}
        for (topic, partition), records in by_place.items():
            place = Place(topic, partition)
            by_topic.setdefault(place.topic, []).append(Batch(place, records))
        turns = [Turn(topic, self._current, batches) for topic, batches in by_topic.items()]
        with self._state:
            if self._current == self._opening:
                self._out += len(turns)
        self._deliver(turns)


def check_read_error(error: KafkaError) -> None:
    """What passes by itself is left to librdkafka; anything else ends the worker."""
    if error.fatal() or not (error.retriable() or error.code() in _PASSING):
        raise KafkaException(error)


_PASSING: Final = frozenset(
    {
        KafkaError._PARTITION_EOF,
        KafkaError._TRANSPORT,
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._RESOLVE,
        KafkaError._TIMED_OUT,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError._MAX_POLL_EXCEEDED,
        KafkaError._AUTO_OFFSET_RESET,
    }
)
