"""How channels are spread that have an audience: of their records that alone, for the sake of room."""

from collections.abc import Iterable

import msgspec

from control.channels.channel import ChannelRecord
from control.channels.table import ChannelTable


class Spreads:
    """Records without the names and words in their settings, which may be a hundred times as much."""

    def __init__(self, channels: ChannelTable) -> None:
        self._channels = channels
        self._known: dict[str, ChannelRecord] = {}
        channels.on_change.append(self._forget)

    def __contains__(self, channel: str) -> bool:
        return channel in self._known

    def of(self, channel: str, *, read: bool = True) -> ChannelRecord | None:
        """How a channel is spread; None: that would have to be read first, and is not to be (`read`)."""
        found = self._known.get(channel)
        if found is None and read:
            found = self._known[channel] = bare(self._channels.channel(channel))
        return found

    def only(self, channels: Iterable[str]) -> None:
        """No others have an audience any more."""
        kept = set(channels)
        for channel in [channel for channel in self._known if channel not in kept]:
            del self._known[channel]

    def _forget(self, channel: str) -> None:
        self._known.pop(channel, None)


def bare(record: ChannelRecord) -> ChannelRecord:
    """The record without what takes room."""
    settings = msgspec.structs.replace(record.settings, members=(), publishers=(), readers=(), blocked=())
    return msgspec.structs.replace(record, settings=settings, past_settings=())
