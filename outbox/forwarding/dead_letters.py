"""What was given up and an operator wants to be tried once more: read from touchline.rejected. Blocks."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import msgspec

from history.retractions import head_of
from history.sources.log import Deadline, LogReader
from kernel.errors import TouchlineError
from kernel.log.cluster import Cluster
from kernel.log.records import Partition
from kernel.log.topics import topic_names
from kernel.settings.reading import Settings
from outbox.outlets.outlet import Item
from schemas.registry import codec_for

_SENDER: Final = "webhook:"
#: Their lane is none of the log's: what is retried has no place there that could hold up another one.
_RETRIED: Final = "retried"


def sender_of(receiver: str) -> str:
    """As whom a receiver is named in what was refused."""
    return _SENDER + receiver


class DeadLetters:
    """Finds them."""

    def __init__(self, settings: Settings, new_reader: Callable[[], LogReader]) -> None:
        self._new_reader = new_reader
        self._topic, self._codec = topic_names(settings).rejected, codec_for(settings, "rejection")
        self._cluster = Cluster(settings)

    def of(
        self, receiver: str, after_ms: int, mine: Callable[[Partition], bool], end: Deadline
    ) -> list[Item]:
        """Those of a receiver that were given up after this time, of partitions that are `mine`, in order."""
        reader = self._new_reader()
        try:
            said = list(self._all(reader, receiver, after_ms, end))
        finally:
            reader.close()
        found = [item_of(one) for one in said if mine(Partition(one["topic"], one["partition"]))]
        return sorted((item for item in found if item is not None), key=lambda item: item.offset)

    def _all(
        self, reader: LogReader, receiver: str, after_ms: int, end: Deadline
    ) -> Iterator[Mapping[str, Any]]:
        for number in range(self._cluster.describe([self._topic])[self._topic].partitions):
            place = Partition(self._topic, number)
            low, high = reader.bounds(place, end)
            start = max(low, reader.offset_at(place, after_ms + 1, end, default=high))
            for record in reader.between(place, start, high, end):
                try:
                    said = self._codec.decode(record.value or b"")
                except TouchlineError:
                    continue
                if said["reason"] == "not_delivered" and said["sender"] == sender_of(receiver):
                    yield said


def item_of(said: Mapping[str, Any]) -> Item | None:
    """The event of a dead letter; None where it is none."""
    try:
        head = head_of(said["value"])
    except msgspec.DecodeError:
        return None
    if head is None or not head.id:
        return None
    place = Partition(_RETRIED, said["partition"])
    channel = head.stream.partition(":")[2]
    return Item(
        *(place, said["offset"], channel, head.stream, head.id, head.type),
        *(said["append_ts"], said["value"]),
    )
