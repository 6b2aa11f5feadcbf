"""From where Kafka says that a record lies to the `seq` and `id` that the fold gives its event."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from control.channels.epochs import Epoch, Epochs
from kernel.log.positions import Kind, make_id, make_seq, partition_of
from kernel.log.topics import TopicNames

#: Kafka's word for a timestamp that the broker has set.
_APPEND_TIME: Final = 2

#: Topic -> its epochs, oldest first.
EpochsOfTopics = Mapping[str, Sequence[Epoch]]
_partition_of: Final = lru_cache(maxsize=10_000)(partition_of)


class Placed(NamedTuple):
    """Where a record lies, as its delivery report says; None where it does not."""

    partition: int
    offset: int | None
    append_ms: int | None


class Position(NamedTuple):
    """An event's place in its stream, and its id."""

    seq: int
    id: str


def placed(message: Any) -> Placed:
    """A delivery report's place. A batch that had to be sent again may come back without its offset."""
    offset, (kind, ms) = message.offset(), message.timestamp()
    known = offset if offset is not None and offset >= 0 else None
    return Placed(message.partition(), known, ms if kind == _APPEND_TIME else None)


class Numbering:
    """What follows from the epochs of the ingest topics, as they are known now."""

    def __init__(self, names: TopicNames, epochs: Callable[[], EpochsOfTopics]) -> None:
        self._ingest, self._now = names.ingest, epochs
        self._of_topics: EpochsOfTopics = {}
        self._of_partitions: dict[tuple[Kind, int], Epochs] = {}

    def heads(
        self, kind: Kind, channel: str, partition: int, append_ms: int, offsets: Sequence[int]
    ) -> tuple[int, int] | None:
        """`seq` and `id` as numbers, without their bits of the offset, of records of one channel that were
        appended at once. None where they are not known, or are of an older epoch."""
        known = self._known(kind)
        if not known or not offsets or _partition_of(channel, known[-1].partitions) != partition:
            return None
        if min(offsets) < max(0, self._of(kind, partition, known).newest_start):
            return None
        return make_seq(known[-1].number, 0), int(make_id(kind, append_ms, partition, 0))

    def position(self, kind: Kind, channel: str, at: Placed) -> Position | None:
        """What the event has if it is accepted; None where that is not known yet, as of a record in a wrong
        partition, which the workers put where it belongs."""
        partition, offset, append_ms = at
        known = self._known(kind)
        if not known or offset is None or append_ms is None:
            return None
        epochs = self._of(kind, partition, known)
        if offset >= epochs.newest_start and _partition_of(channel, known[-1].partitions) != partition:
            return None
        return Position(make_seq(epochs.of(offset), offset), make_id(kind, append_ms, partition, offset))

    def _known(self, kind: Kind) -> Sequence[Epoch] | None:
        if (now := self._now()) is not self._of_topics:
            self._of_topics, self._of_partitions = now, {}
        return now.get(self._ingest[kind])

    def _of(self, kind: Kind, partition: int, known: Sequence[Epoch]) -> Epochs:
        epochs = self._of_partitions.get((kind, partition))
        if epochs is None:
            epochs = self._of_partitions[kind, partition] = Epochs(known, partition)
        return epochs
