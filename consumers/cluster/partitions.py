"""Which fan-out partitions are served here, and where the others are."""

from collections.abc import Callable

from kernel.log.positions import Kind, partition_of
from kernel.log.topics import TopicNames

Partition = tuple[str, int]


class ServedPartitions:
    """The partitions that this edge has. In a cell of its own it has all of them.

    Locations are read whole by every edge, so they are served everywhere.
    """

    def __init__(self, names: TopicNames, owner: Callable[[int], str | None]) -> None:
        self._live, self._owner = names.fanout_live, owner
        #: How many partitions the live topic has; 0: not known yet.
        self.total = 0
        self._filling: set[Partition] = set()
        self._ready: set[Partition] = set()
        self._whole: set[Partition] = set()

    def assigned(self, partitions: set[Partition], whole: set[Partition]) -> None:
        """These partitions are read from now on; those in `whole` from their first record."""
        self._filling |= partitions
        self._whole = (self._whole - partitions) | whole

    def filled(self, partition: Partition) -> None:
        """What was on the log when this partition was assigned is in the rings."""
        if partition in self._filling:
            self._filling.discard(partition)
            self._ready.add(partition)

    def revoked(self, partitions: set[Partition]) -> None:
        """These partitions are read no more."""
        self._filling -= partitions
        self._ready -= partitions
        self._whole -= partitions

    @property
    def settled(self) -> bool:
        """Whether everything that was assigned is served."""
        return self.total > 0 and not self._filling

    def partitions(self) -> set[int]:
        """The partitions of the live topic that are served here."""
        return {number for topic, number in self._ready if topic == self._live}

    def serves(self, kind: Kind, key: str) -> bool:
        """Whether this fan-out key is served here, right now."""
        return kind is Kind.LOCATION or (self._live, self._partition(key)) in self._ready

    def whole(self, kind: Kind, key: str) -> bool:
        """Whether every record of its partition has been seen (of locations only those wanted are)."""
        return kind is not Kind.LOCATION and (self._live, self._partition(key)) in self._whole

    def elsewhere(self, key: str) -> str | None:
        """The address of the edge that serves it, where that is known."""
        return self._owner(self._partition(key))

    def _partition(self, key: str) -> int:
        return partition_of(key, self.total) if self.total else -1
