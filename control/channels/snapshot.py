"""The channels as they are at one moment, for programs that run no longer. Roles have a table (`table`)."""

from collections.abc import Iterator, Mapping

from control.channels.channel import EPOCHS_KEY, ChannelRecord, epochs_from_avro, from_avro
from control.channels.epochs import Epoch
from control.topic_tables.table import Row
from kernel.log.positions import split_lane


class Snapshot:
    """The records that were read, and the epochs of the ingest topics. A lane is as its channel is."""

    def __init__(self) -> None:
        self._records: dict[str, ChannelRecord] = {}
        #: In which partition each record lies.
        self._partition: dict[str, int] = {}
        self.epochs: Mapping[str, list[Epoch]] = {}

    def __contains__(self, channel: str) -> bool:
        return split_lane(channel)[0] in self._records

    def __iter__(self) -> Iterator[ChannelRecord]:
        return iter(self._records.values())

    def channel(self, name: str) -> ChannelRecord:
        """The record of a channel, or of the one that it is a lane of; the defaults where there is none."""
        base = split_lane(name)[0]
        return self._records.get(base) or ChannelRecord(channel=base)

    def learn(self, row: Row) -> None:
        """Take in what is written: of several records of a channel the newest, whatever their order."""
        if row.key == EPOCHS_KEY:
            self.epochs = epochs_from_avro(row.value) if row.value is not None else {}
        elif row.value is None:
            # Where partitions were added an older record may lie in another one, and end there.
            if self._partition.get(row.key) == row.partition:
                self._records.pop(row.key, None)
        elif split_lane(row.key)[1] is None:
            read, known = from_avro(row.value), self._records.get(row.key)
            if known is None or read.revision >= known.revision:
                self._partition[row.key] = row.partition
                self._records[row.key] = read
