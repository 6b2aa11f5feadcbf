"""Counting many deliveries as one: filled by the delivery thread, read by whoever waits for the last."""

from functools import partial
from typing import Any

from kernel.errors import TouchlineError
from kernel.positions import Stream
from producers.delivery import Failure, SomeNotDelivered, failed
from producers.outbox import OnDelivery
from producers.posts import AnyPost


class Tally:
    """What became of the events of one call."""

    def __init__(self) -> None:
        self.sent = 0
        self.delivered = 0
        #: Set when all are on their way: only then can the count be complete.
        self.waited_for = False
        self.failures: list[Failure] = []
        self._failed_later = 0

    def expect(self, index: int, post: AnyPost) -> OnDelivery:
        """The callback for an event that is about to be put."""
        return partial(self._report, index, post)

    def refuse(self, index: int, post: AnyPost, error: TouchlineError) -> None:
        """This event never went on its way."""
        self.failures.append(_failure(index, post, error))

    @property
    def complete(self) -> bool:
        return self.delivered + self._failed_later == self.sent

    def result(self) -> int:
        """How many were delivered. Raises SomeNotDelivered unless all were."""
        if self.failures:
            raise SomeNotDelivered(self.delivered, sorted(self.failures, key=lambda f: f.index))
        return self.delivered

    def _report(self, index: int, post: AnyPost, error: Any, _: Any) -> None:
        if error is None:
            self.delivered += 1
        else:
            self.failures.append(_failure(index, post, failed(error)))
            # Last: whoever waits may look as soon as the count is right.
            self._failed_later += 1


def _failure(index: int, post: AnyPost, error: TouchlineError) -> Failure:
    return Failure(index, f"{Stream(post.kind, post.channel)}", post.key, error)
