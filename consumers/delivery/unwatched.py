"""What an edge keeps of channels that nobody watches: their latest records, as they came."""

from collections import OrderedDict, deque
from typing import Final, TypeVar

#: Of so many channels whose locations nobody watches here it is known how far they are: the latest ones.
_PASSED: Final = 4096
_OVERHEAD: Final = 60  # what a record costs beside its bytes

Partition = tuple[str, int]
K = TypeVar("K")
V = TypeVar("V")


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
        self.bytes += len(value) + _OVERHEAD
        if len(self.values) > capacity:
            self.bytes -= len(self.values.popleft()) + _OVERHEAD
            self.cut = True
        return self.bytes - before


def note(of: OrderedDict[K, V], key: K, what: V) -> None:
    """Keep this as the latest one's; the oldest is forgotten."""
    of[key] = what
    of.move_to_end(key)
    if len(of) > _PASSED:
        of.popitem(last=False)
