"""The channel registry: channel -> its record, as touchline.channels says, and what is written there.

A lane has no record: it is as its channel is. Readers ask `channel`, and hear of changes by `on_change`; they
know nothing of where records lie.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from control.channels import (
    EPOCHS_KEY,
    ChannelRecord,
    epochs_from_avro,
    epochs_to_avro,
    from_avro,
    to_avro,
)
from control.epochs import Epoch
from control.table import Row
from kernel.positions import Kind, split_lane
from kernel.records import Write
from schemas.codec import Codec

#: Kinds whose channels are registered by their first event. Every user may be a location channel: they are
#: too many, and there is nothing to know of them until somebody sets something.
REGISTERED: Final = frozenset({Kind.BROADCAST, Kind.CHAT})


class Registry:
    """The records, and the epochs of the ingest topics."""

    def __init__(self, topic: str, codec: Codec, *, sparse: bool = False) -> None:
        self._topic, self._codec = topic, codec
        #: Whether only channels are held about which somebody has changed something.
        self._sparse = sparse
        self._records: dict[str, ChannelRecord] = {}
        self.epochs: Mapping[str, list[Epoch]] = {}
        #: Called with the channel's name when its record has changed.
        self.on_change: list[Callable[[str], None]] = []
        #: Called where something older came after something newer. A worker that was stopped for a while,
        #: and did not know that it had lost the channel, may write so. Compaction would keep the wrong
        #: record: the channel's owner writes the right one again.
        self.on_stale: Callable[[str], None] = lambda _: None

    def __contains__(self, channel: str) -> bool:
        return split_lane(channel)[0] in self._records

    def __iter__(self) -> Iterator[ChannelRecord]:
        return iter(list(self._records.values()))

    def channel(self, name: str) -> ChannelRecord:
        """The record of a channel, or of the one that it is a lane of; the defaults where there is none."""
        base = split_lane(name)[0]
        return self._records.get(base) or ChannelRecord(channel=base)

    def learn(self, row: Row) -> None:
        """Take in what was written."""
        if row.key == EPOCHS_KEY:
            self.epochs = epochs_from_avro(row.value) if row.value is not None else {}
        elif row.value is None:
            if self._records.pop(row.key, None) is not None:
                self._changed(row.key)
        elif split_lane(row.key)[1] is None:
            read, known = from_avro(row.value), self._records.get(row.key)
            if known is not None and read.revision < known.revision:
                self.on_stale(row.key)
            elif read != known:
                self._keep(row.key, read)

    def write(self, record: ChannelRecord) -> Write:
        """The channel is as `record` says from now on; returns what has to be written.

        What cannot be written raises, and changes nothing.
        """
        value = self._codec.encode(to_avro(record))
        self._keep(record.channel, record)
        return Write(self._topic, value, record.channel.encode(), 0)

    def write_epochs(self, epochs: Mapping[str, list[Epoch]]) -> Write:
        """The epochs are these from now on; returns what has to be written."""
        return Write(self._topic, self._codec.encode(epochs_to_avro(epochs)), EPOCHS_KEY.encode(), 0)

    def _keep(self, name: str, record: ChannelRecord) -> None:
        if self._sparse and record == ChannelRecord(channel=name):
            if self._records.pop(name, None) is None:
                return
        else:
            self._records[name] = record
        self._changed(name)

    def _changed(self, name: str) -> None:
        for tell in self.on_change:
            tell(name)
