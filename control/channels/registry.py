"""The channel registry: channel -> its record, as touchline.channels says, and what is written there.

A lane has no record: it is as its channel is. Readers ask `channel`, and hear of changes by `on_change`; they
know nothing of where records lie.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from control.channels.channel import (
    EPOCHS_KEY,
    ChannelRecord,
    epochs_from_avro,
    from_avro,
)
from control.channels.epochs import Epoch
from control.following.table import Row
from kernel.log.positions import Kind, split_lane
from schemas.codec import Codec

#: Kinds whose channels are registered by their first event. Every user may be a location channel: they are
#: too many, and there is nothing to know of them until somebody sets something.
REGISTERED: Final = frozenset({Kind.BROADCAST, Kind.CHAT})
#: What is listed of channels: those that only some may read, those with a retention class, and those that
#: have more than one shard or version.
CLOSED: Final = 1
EXPIRING: Final = 2
SPREAD: Final = 4


def flags_of(record: ChannelRecord) -> int:
    """The lists that a channel is on."""
    settings = record.settings
    closed, expiring = bool(settings.readers), settings.retention is not None
    spread = len(record.live) > 1 or record.newest.shards > 1
    return closed * CLOSED | expiring * EXPIRING | spread * SPREAD


class Registry:
    """The records, and the epochs of the ingest topics."""

    def __init__(self, topic: str, codec: Codec) -> None:
        self._topic, self._codec = topic, codec
        self._records: dict[str, ChannelRecord] = {}
        #: In which partition each record lies.
        self._partition: dict[str, int] = {}
        self.epochs: Mapping[str, list[Epoch]] = {}
        #: Called with the channel's name when its record has changed.
        self.on_change: list[Callable[[str], None]] = []
        #: Called where something older came after something newer. A worker that was stopped for a while,
        #: and did not know that it had lost the channel, may write so. Compaction would keep the wrong
        #: record: the channel's owner writes the right one again.
        self.on_stale: Callable[[str], None] = lambda _: None

    def __contains__(self, channel: str) -> bool:
        return split_lane(channel)[0] in self._records

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[ChannelRecord]:
        return iter(list(self._records.values()))

    def channel(self, name: str) -> ChannelRecord:
        """The record of a channel, or of the one that it is a lane of; the defaults where there is none."""
        base = split_lane(name)[0]
        return self._records.get(base) or ChannelRecord(channel=base)

    def listed(self, flag: int, wanted: Callable[[str], bool] = lambda _: True) -> Iterator[ChannelRecord]:
        """The channels that have this flag, of those whose names are `wanted`."""
        return (record for record in self if wanted(record.channel) and flags_of(record) & flag)

    def names_listed(self, flag: int) -> Iterator[str]:
        """Their names alone."""
        return (record.channel for record in self.listed(flag))

    def learn(self, row: Row) -> None:
        """Take in what was written."""
        if row.key == EPOCHS_KEY:
            self.epochs = epochs_from_avro(row.value) if row.value is not None else {}
        elif row.value is None:
            # Where partitions were added an older record may lie in another one, and end there.
            if self._partition.get(row.key) == row.partition and self._records.pop(row.key, None) is not None:
                self._changed(row.key)
        elif split_lane(row.key)[1] is None:
            read, known = from_avro(row.value), self._records.get(row.key)
            if known is not None and read.revision < known.revision:
                self.on_stale(row.key)
            elif read != known:
                self._partition[row.key] = row.partition
                self._keep(row.key, read)

    def _keep(self, name: str, record: ChannelRecord) -> None:
        self._records[name] = record
        self._changed(name)

    def _changed(self, name: str) -> None:
        for tell in self.on_change:
            tell(name)
