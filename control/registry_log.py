"""The registry as a worker has it: the records of touchline.channels, followed as they are written."""

from collections.abc import Callable, Mapping
from typing import Final

from control.channels import (
    EPOCHS_KEY,
    ChannelRecord,
    encoded,
    epochs_from_avro,
    epochs_to_avro,
    from_avro,
)
from control.epochs import Epoch
from kernel.errors import TouchlineError
from kernel.logs import get_logger
from kernel.positions import Kind
from kernel.records import Record, Write
from schemas.codec import Codec

_log = get_logger("touchline.registry")
#: Kinds whose channels are registered by their first event. Every user may be a location channel: they are
#: too many, and there is nothing to know of them until somebody sets something.
REGISTERED: Final = frozenset({Kind.BROADCAST, Kind.CHAT})


class Registry:
    """Channel -> its record, and the epochs of the ingest topics."""

    def __init__(self, topic: str, on_change: Callable[[str], None], codec: Codec) -> None:
        self._topic, self._on_change, self._codec = topic, on_change, codec
        self._records: dict[str, ChannelRecord] = {}
        self.epochs: Mapping[str, list[Epoch]] = {}

    def __contains__(self, channel: str) -> bool:
        return channel in self._records

    def of(self, channel: str) -> ChannelRecord:
        """The channel's record, or the defaults."""
        return self._records.get(channel) or ChannelRecord(channel=channel)

    def records(self) -> list[ChannelRecord]:
        return list(self._records.values())

    def follow(self, records: list[Record]) -> list[str]:
        """Take what was written; returns the channels for which something older came after something newer.

        A worker that was stopped for a while, and did not know that it had lost the channel, may write so.
        Compaction would keep the wrong record: the channel's owner writes the right one again.
        """
        stale = []
        for record in records:
            name = (record.key or b"").decode("utf-8", "replace")
            if record.value is None:
                self._records.pop(name, None)
                self._on_change(name)
                continue
            try:
                value = self._codec.decode(record.value)
            except TouchlineError as error:
                _log.warning("a record of the registry cannot be read", channel=name, reason=error.message)
                continue
            if name == EPOCHS_KEY:
                self.epochs = epochs_from_avro(value)
                continue
            read, known = from_avro(value), self._records.get(name)
            if known is not None and read.revision < known.revision:
                stale.append(name)
            elif read != known:
                self._records[name] = read
                self._on_change(name)
        return stale

    def write(self, record: ChannelRecord) -> Write:
        """The channel is as `record` says from now on; returns what has to be written."""
        value = encoded(record, self._codec)
        self._records[record.channel] = record
        self._on_change(record.channel)
        return Write(self._topic, value, record.channel.encode(), 0)

    def write_epochs(self, epochs: Mapping[str, list[Epoch]]) -> Write:
        """The epochs are these from now on; returns what has to be written."""
        return Write(self._topic, self._codec.encode(epochs_to_avro(epochs)), EPOCHS_KEY.encode(), 0)
