"""Many events as one: put while there is room, counted by the delivery thread, told as one result.

It waits for nothing: both producers fill it in their own way, and share what is quick about it.
"""

from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from itertools import islice
from typing import Any, Final, Generic, NamedTuple, TypeVar, cast

from confluent_kafka import KafkaException

from kernel.errors import TouchlineError
from kernel.log.records import Headers
from producers.posts import Record
from producers.sending.delivery import Failure, SomeNotDelivered
from producers.sending.outbox import OnDelivery, Produce

Item = TypeVar("Item")
#: Kafka's word for a timestamp that the broker has set.
_APPEND_TIME: Final = 2


class Filled(Enum):
    """Why `fill` stopped."""

    PAUSE = "as many as were asked for are on their way"
    FULL = "there is no room"
    END = "there are no more"


class Located(Enum):
    """Whether a batch keeps where its events lie: it costs a little for each of them."""

    NO = "nobody asks"
    IN_CHANNEL = "all of them go to one channel"
    IN_CHANNELS = "they go to several, like the lanes of one"


class Run(NamedTuple):
    """Events that were appended at once to one partition."""

    numbers: Sequence[int]
    key: bytes
    partition: int
    append_ms: int
    offsets: list[int]


class Batch(Generic[Item]):
    """The events of one call, and what becomes of them."""

    def __init__(
        self,
        prepare: Callable[[Item], Record] | None,
        explain: Callable[[Any], TouchlineError],
        headers: Headers | None = None,
        *,
        located: Located = Located.NO,
    ) -> None:
        """`prepare` makes records of the items; None: they are records already, and what fails is told
        without its item. `explain` makes an error of ours of a KafkaError; `headers` go with each record; a
        batch that is `located` keeps where its events lie."""
        self._headers: Final = headers
        noting = prepare is not None and located is Located.IN_CHANNELS
        self._prepare: Final = self._noting(prepare) if prepare is not None and noting else prepare
        #: The parts of a batch that is located; None: it is not.
        self._parts: list[_Located[Item]] | None = None if located is Located.NO else []
        self.explain: Final = explain
        self._next = 0
        self._held: tuple[Record, OnDelivery] | None = None
        self._sent = 0
        #: Added to by the delivery thread, for each event: a call would cost as much as the addition.
        self.delivered = 0
        self._failed = 0
        self._failures: list[Failure] = []

    def fill(self, items: Iterator[Item], produce: Produce, limit: int) -> Filled:
        """Prepare and put the next items, at most `limit`."""
        headers = self._headers or None
        if self._held is not None:
            (topic, key, value), on_delivery = self._held
            try:
                produce(topic, value, key, -1, on_delivery, None, 0, headers)
            except BufferError:
                return Filled.FULL
            self._held = None
            self._sent += 1
        # One callback for a whole part: one for each event would cost as much as encoding it.
        part = self._part()
        # Names of this function, for the sake of speed: the rest of this loop is Kafka's client.
        prepare, on_delivery = self._prepare, part.reporting()
        remember, remember_value = part.items.append, part.values.append
        index, sent, end = self._next, 0, self._next + limit
        try:
            for item in items:
                index += 1
                try:
                    if prepare is None:  # nothing is kept of what lies in its value
                        topic, key, value = record = cast("Record", item)
                    else:
                        topic, key, value = record = prepare(item)
                        remember(item)
                    remember_value(value)
                    # By position: arguments with names cost half as much again.
                    produce(topic, value, key, -1, on_delivery, None, 0, headers)
                except BufferError:
                    self._held = record, on_delivery
                    return Filled.FULL
                except TouchlineError as error:
                    remember(item)
                    remember_value(b"")
                    # Ten thousand of them may be kept: not with all that stood around when they were raised.
                    error.__traceback__ = error.__context__ = None
                    self._failures.append(Failure(index - 1, item, error))
                except KafkaException as error:
                    part.not_put()
                    self._failures.append(Failure(index - 1, item, self.explain(error.args[0])))
                else:
                    sent += 1
                # Those that are refused count too: a call that is nothing else must let others run as well.
                if index >= end:
                    return Filled.PAUSE
        finally:
            self._next = index
            self._sent += sent
        return Filled.END

    def _part(self) -> "_Part[Item]":
        if self._parts is None:
            return _Part(self, self._next)
        part = _Located(self, self._next)
        self._parts.append(part)
        return part

    def runs(self) -> list[Run]:
        """Of a batch that is `located`, and complete: where its events lie, as far as that is known."""
        return [run for part in self._parts or () for run in part.runs()]

    def _noting(self, prepare: Callable[[Item], Record]) -> Callable[[Item], Record]:
        def noting(item: Item) -> Record:
            record = prepare(item)
            cast("list[_Located[Item]]", self._parts)[-1].keys.append(record[1])
            return record

        return noting

    def give_up(self, items: Iterator[Item], error: TouchlineError) -> None:
        """Refuse what was not put. All of it: what comes later must not overtake what found no room."""
        if self._held is not None:
            self._held = None
            self._failures.append(Failure(self._next - 1, None, error))
        for item in items:
            self._failures.append(Failure(self._next, item, error))
            self._next += 1

    @property
    def complete(self) -> bool:
        """Whether all that was put has been reported."""
        return self.delivered + self._failed == self._sent

    def result(self) -> int:
        """How many were delivered. Raises SomeNotDelivered unless all were."""
        if self._failures:
            raise SomeNotDelivered(self.delivered, sorted(self._failures, key=lambda f: f.index))
        return self.delivered

    def failed(self, failure: Failure) -> None:
        self._failures.append(failure)
        # Last: whoever waits may look as soon as the count is right.
        self._failed += 1


class _Part(Generic[Item]):
    """The events that were put in one go: it knows which is meant when one of them fails."""

    def __init__(self, batch: Batch[Item], start: int) -> None:
        self._batch, self._start = batch, start
        #: Every event (unless they came as records), and its bytes (none if it was refused); they go when the
        #: last one is reported. In two lists: a tuple for each would wake the garbage collector every few
        #: hundred events.
        self.items: list[Item] = []
        self.values: list[bytes] = []

    def reporting(self) -> OnDelivery:
        """What hears of each event that was put."""
        return self._report

    def not_put(self) -> None:
        """Kafka's client did not take the last one."""

    def _report(self, error: Any, message: Any) -> None:
        if error is None:
            self._batch.delivered += 1
            return
        try:
            number = self.values.index(message.value())
        except ValueError:
            raise AssertionError("a delivery report for an event that was not put") from None
        # Of two alike it does not matter which is told first; the second must be found, too.
        self.values[number] = b""
        item = self.items[number] if self.items else None
        self._batch.failed(Failure(self._start + number, item, self._batch.explain(error)))


class _Located(_Part[Item]):
    """A part that keeps where its events lie: each partition's reports come in the order of its events.

    Only numbers are kept, and what is the same for many once: a million events come in one request.
    """

    def __init__(self, batch: Batch[Item], start: int) -> None:
        super().__init__(batch, start)
        #: The channel of each event that was put, as its record's key; where all have the same: none.
        self.keys: list[bytes] = []
        self._failed = False
        self._offsets: list[int] = []
        #: Where a run of events begins that lie in one partition and were appended at once.
        self._runs: list[tuple[int, bytes, int, tuple[int, int]]] = []

    def not_put(self) -> None:
        self.values[-1] = b""
        if self.keys:
            self.keys.pop()

    def reporting(self) -> OnDelivery:
        # Names of this function, for the sake of speed.
        batch, keys, offsets, runs, failed = self._batch, self.keys, self._offsets, self._runs, self._report
        last: Any = None

        def report(error: Any, message: Any) -> None:
            nonlocal last
            if error is not None:
                self._failed = True
                failed(error, message)
                return
            stamp = at = message.timestamp()
            if keys:
                stamp = (at, message.key())
            if stamp != last:
                last = stamp
                runs.append((len(offsets), message.key(), message.partition(), at))
            offsets.append(message.offset())
            # Last: whoever waits may look as soon as the count is right.
            batch.delivered += 1

        return report

    def runs(self) -> Iterator[Run]:
        """Nothing where one has failed: what was not confirmed may lie anywhere between the others."""
        if self._failed or not self._runs:
            return
        put: Sequence[int] = range(self._start, self._start + len(self.values))
        if not all(self.values):
            put = [number for number, value in zip(put, self.values, strict=True) if value]
        waiting: dict[bytes, Iterator[int]] = {}
        if self.keys:
            for key in set(self.keys):
                waiting[key] = iter([n for n, of in zip(put, self.keys, strict=False) if of == key])
        ends = [run[0] for run in self._runs[1:]]
        for (start, key, partition, (kind, ms)), end in zip(
            self._runs, [*ends, len(self._offsets)], strict=True
        ):
            numbers = list(islice(waiting[key], end - start)) if self.keys else put[start:end]
            if kind == _APPEND_TIME:
                yield Run(numbers, key, partition, ms, self._offsets[start:end])
