"""Requests that wait for their reply. They outlive a connection: they are asked again on the next."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, Final

#: At most so many at a time: who publishes faster than the edge confirms is told so.
MOST_PENDING: Final = 1000


@dataclass
class Request:
    """One request, without its id."""

    number: int
    stream: str
    message: Mapping[str, Any]
    deadline: float
    #: The connection that it was last sent on; None where it has yet to be sent.
    connection: int | None = None
    attempt: int = 0
    retry_at: float | None = None

    @property
    def counts_each_time(self) -> bool:
        """Whether it must not be sent twice: applause without a key."""
        said = self.message
        return said.get("op") == "react" and said.get("target") is None and said.get("key") is None


class Pending:
    """All of them, by id."""

    def __init__(self) -> None:
        self._requests: dict[int, Request] = {}

    @property
    def full(self) -> bool:
        return len(self._requests) >= MOST_PENDING

    def add(self, request: Request) -> None:
        self._requests[request.number] = request

    def get(self, number: int) -> Request | None:
        return self._requests.get(number)

    def remove(self, number: int) -> None:
        self._requests.pop(number, None)

    def __iter__(self) -> Iterator[Request]:
        return iter(list(self._requests.values()))

    def orphan(self, connection: int) -> list[Request]:
        """The connection is gone: its requests have yet to be sent again, but for those that it returns: of
        these nobody knows whether they counted."""
        lost = []
        for request in self._requests.values():
            if request.connection == connection:
                if request.counts_each_time:
                    lost.append(request)
                else:
                    request.connection = None
        return lost

    @property
    def deadline(self) -> float:
        return min(
            (
                request.deadline if request.retry_at is None else min(request.deadline, request.retry_at)
                for request in self._requests.values()
            ),
            default=inf,
        )
