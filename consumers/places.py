"""Which fan-out partitions are here, and where the others are."""

from kernel.positions import partition_of
from kernel.topics import TopicNames

Place = tuple[str, int]


class OwnCell:
    """An edge that is its own cell has every partition, from when its rings are filled."""

    def __init__(self, names: TopicNames) -> None:
        self._live = names.fanout_live
        self._partitions = 0
        self._whole: set[Place] = set()

    def assigned(self, places: set[Place], whole: set[Place]) -> None:
        """These partitions are read; those of them in `whole` from their first record."""
        self._partitions = sum(1 for topic, _ in places if topic == self._live)
        self._whole = whole

    def partitions(self) -> set[int]:
        """The partitions of the live fan-out topic that are served here."""
        return set(range(self._partitions))

    def serves(self, key: str) -> bool:  # noqa: ARG002
        return self._partitions > 0

    def whole(self, key: str) -> bool:
        return (self._live, partition_of(key, self._partitions)) in self._whole

    def elsewhere(self, key: str) -> str | None:  # noqa: ARG002
        return None
