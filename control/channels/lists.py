"""What is listed of channels, as bits: a role asks for the lists that it goes through. Pure."""

from typing import Final

from control.channels.channel import ChannelRecord

#: Those that only some may read, those with a retention class, and those with more than one shard or version.
CLOSED: Final = 1
EXPIRING: Final = 2
SPREAD: Final = 4


def flags_of(record: ChannelRecord) -> int:
    """The lists that a channel is on."""
    settings = record.settings
    closed, expiring = bool(settings.readers), settings.retention is not None
    spread = len(record.live) > 1 or record.newest.shards > 1
    return closed * CLOSED | expiring * EXPIRING | spread * SPREAD
