"""A look at what is known beside the log, for programs that run for a moment: the command line. Blocks."""

from collections.abc import Collection

import msgspec

from control.channels.channel import EPOCHS_KEY, ChannelRecord
from control.channels.snapshot import Snapshot
from control.counts import Count
from control.moderation.sanctions import Sanction
from control.topic_tables.follower import TableReader
from control.topic_tables.table import Row, TopicTable
from kernel.clock import Clock
from kernel.log.positions import split_lane
from kernel.log.topics import topic_names
from kernel.settings.reading import Settings
from schemas.registry import codec_for


def read_channels(settings: Settings, clock: Clock, *, only: str | None = None) -> Snapshot:
    """The channels as they are now; `only` one channel of it. Raises `unavailable`."""
    topic, codec = topic_names(settings).channels, codec_for(settings, "channel")
    found = Snapshot()
    wanted = None if only is None else {split_lane(only)[0].encode(), EPOCHS_KEY.encode()}
    table = TopicTable(topic, codec, found.learn, wants=lambda key: wanted is None or key in wanted)
    _read(settings, clock, table)
    return found


def read_counts(settings: Settings, clock: Clock, *, only: Collection[str] = ()) -> dict[str, Count]:
    """How far streams are counted, by stream; `only` these, if there are any. Raises `unavailable`."""
    found: dict[str, Count] = {}

    def learn(row: Row) -> None:
        if row.value is not None:
            count = Count(row.value["stream"], row.value["n"], row.value["seq"])
            # Of records in several partitions the newest holds.
            found[row.key] = max(count, found.get(row.key, count), key=lambda known: known.seq)

    wanted = {stream.encode() for stream in only}
    topic, codec = topic_names(settings).counts, codec_for(settings, "count")
    table = TopicTable(topic, codec, learn, wants=lambda key: not wanted or key in wanted)
    _read(settings, clock, table)
    return found


def read_sanctions(settings: Settings, clock: Clock) -> dict[str, dict[str, Sanction]]:
    """Who is or was muted or banned, by channel and user, with the times of it. Raises `unavailable`."""
    found: dict[str, dict[str, Sanction]] = {}

    def learn(row: Row) -> None:
        one = None if row.value is None else msgspec.convert(row.value, Sanction)
        if one is not None and one.user:
            # Of records in several partitions, and of the copy by user, the newest holds.
            users = found.setdefault(one.channel, {})
            users[one.user] = max(users.get(one.user, one), one, key=lambda known: known.revision)

    topic, codec = topic_names(settings).sanctions, codec_for(settings, "sanction")
    _read(settings, clock, TopicTable(topic, codec, learn))
    return found


def _read(settings: Settings, clock: Clock, table: TopicTable) -> None:
    reader = TableReader(settings, clock, [table], name="look")
    try:
        reader.read_all()
    finally:
        reader.close()


def read_channel(settings: Settings, clock: Clock, channel: str) -> ChannelRecord | None:
    """The channel's newest record; None if there is none."""
    found = read_channels(settings, clock, only=channel)
    return found.channel(channel) if channel in found else None
