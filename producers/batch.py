"""Many events as one: put while there is room, counted by the delivery thread, told as one result.

It waits for nothing: both producers fill it in their own way, and share what is quick about it.
"""

from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any, Final, Generic, TypeVar

from confluent_kafka import KafkaException

from kernel.errors import TouchlineError
from producers.delivery import Failure, SomeNotDelivered
from producers.outbox import OnDelivery, Produce
from producers.posts import Record

Item = TypeVar("Item")


class Filled(Enum):
    """Why `fill` stopped."""

    PAUSE = "as many as were asked for are on their way"
    FULL = "there is no room"
    END = "there are no more"


class Batch(Generic[Item]):
    """The events of one call, and what becomes of them."""

    def __init__(self, prepare: Callable[[Item], Record], explain: Callable[[Any], TouchlineError]) -> None:
        """`explain` makes an error of ours of a KafkaError."""
        self._prepare: Final = prepare
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
        if self._held is not None:
            (topic, key, value), on_delivery = self._held
            try:
                produce(topic, value, key, -1, on_delivery)
            except BufferError:
                return Filled.FULL
            self._held = None
            self._sent += 1
        # One callback for a whole part: one for each event would cost as much as encoding it.
        part = _Part(self, self._next)
        # Names of this function, for the sake of speed: the rest of this loop is Kafka's client.
        prepare, on_delivery = self._prepare, part.report
        remember, remember_value = part.items.append, part.values.append
        index, sent, end = self._next, 0, self._next + limit
        try:
            for item in items:
                index += 1
                try:
                    topic, key, value = record = prepare(item)
                    remember(item)
                    remember_value(value)
                    produce(topic, value, key, -1, on_delivery)
                except BufferError:
                    self._held = record, on_delivery
                    return Filled.FULL
                except TouchlineError as error:
                    remember(item)
                    remember_value(b"")
                    self._failures.append(Failure(index - 1, item, error))
                except KafkaException as error:
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
        #: Every event, and its bytes (none if it was refused); they go when the last one is reported. In two
        #: lists: a tuple for each would wake the garbage collector every few hundred events.
        self.items: list[Item] = []
        self.values: list[bytes] = []

    def report(self, error: Any, message: Any) -> None:
        if error is None:
            self._batch.delivered += 1
            return
        try:
            number = self.values.index(message.value())
        except ValueError:
            raise AssertionError("a delivery report for an event that was not put") from None
        # Of two alike it does not matter which is told first; the second must be found, too.
        self.values[number] = b""
        self._batch.failed(Failure(self._start + number, self.items[number], self._batch.explain(error)))
