"""Counting many deliveries as one: filled by the delivery thread, read by whoever waits for the last."""

from functools import partial
from typing import Any

from kernel.errors import TouchlineError
from producers.delivery import Failure, SomeNotDelivered, failed
from producers.outbox import OnDelivery


class Tally:
    """What became of the events of one call."""

    def __init__(self) -> None:
        self.sent = 0
        self.delivered = 0
        self.failures: list[Failure] = []
        #: Why no more events are tried: after one that found no room the next ones would overtake it.
        self.gave_up: TouchlineError | None = None
        self._failed_later = 0

    def expect(self, index: int, post: Any) -> OnDelivery:
        """The callback for an event that is about to be put."""
        return partial(self._report, index, post)

    def refuse(self, index: int, post: Any, error: TouchlineError) -> None:
        """This event never went on its way."""
        self.failures.append(Failure(index, post, error))

    @property
    def complete(self) -> bool:
        """Whether all that was sent so far has been reported."""
        return self.delivered + self._failed_later == self.sent

    def result(self) -> int:
        """How many were delivered. Raises SomeNotDelivered unless all were."""
        if self.failures:
            raise SomeNotDelivered(self.delivered, sorted(self.failures, key=lambda f: f.index))
        return self.delivered

    def _report(self, index: int, post: Any, error: Any, _: Any) -> None:
        if error is None:
            self.delivered += 1
        else:
            self.failures.append(Failure(index, post, failed(error)))
            # Last: whoever waits may look as soon as the count is right.
            self._failed_later += 1
