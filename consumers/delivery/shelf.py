"""The latest records of a channel that nobody watches, undecoded, until somebody does."""

from collections import deque
from typing import Final

OVERHEAD: Final = 60  # what a record costs beside its bytes

Partition = tuple[str, int]


class Shelf:
    """The latest records of a channel that nobody watches, as they came."""

    __slots__ = ("bytes", "cut", "place", "values")

    def __init__(self, place: Partition) -> None:
        self.place = place
        self.values: deque[bytes] = deque()
        self.bytes = 0
        #: Whether older records have been dropped.
        self.cut = False

    def put(self, value: bytes, capacity: int) -> int:
        """Keep a record; returns by how many bytes the shelf has grown."""
        before = self.bytes
        self.values.append(value)
        self.bytes += len(value) + OVERHEAD
        if len(self.values) > capacity:
            self.bytes -= len(self.values.popleft()) + OVERHEAD
            self.cut = True
        return self.bytes - before
