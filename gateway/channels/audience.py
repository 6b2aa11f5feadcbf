"""Who watches what, for operators: channels with their viewers, versions and shards. Pure."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, Final

from control.channels.channel import ChannelRecord
from control.edges.presence import Beat
from kernel.log.positions import split_lane

#: An operator looks at the largest; a page with ten thousand rows helps nobody.
MOST_CHANNELS: Final = 50


def by_channel(
    beats: Iterable[Beat],
    known: Iterable[ChannelRecord],
    record_of: Callable[[str], ChannelRecord] = lambda name: ChannelRecord(channel=name),
) -> list[dict[str, Any]]:
    """The channels with most viewers, then those that were changed. A channel's viewers are those of its
    most watched stream: who watches ticker and chat of a match is one viewer, not two.
    """
    streams: dict[str, Counter[str]] = {}
    shards: dict[str, dict[int, Counter[str]]] = {}
    for beat in beats:
        for slot, viewers in beat.viewers.items():
            channel = split_lane(slot.stream.partition(":")[2])[0]
            streams.setdefault(channel, Counter())[slot.stream] += viewers
            versions = shards.setdefault(channel, {})
            versions.setdefault(slot.version, Counter())[slot.stream] += viewers
    records = {record.channel: record for record in known}
    rows = [
        _row(records.get(name) or record_of(name), streams.get(name), shards.get(name, {}))
        for name in streams.keys() | records
    ]
    return sorted(rows, key=lambda row: (-row["viewers"], row["channel"]))[:MOST_CHANNELS]


def _row(
    record: ChannelRecord, streams: Counter[str] | None, shards: dict[int, Counter[str]]
) -> dict[str, Any]:
    """What nobody has changed has one version with one shard."""
    return {
        "channel": record.channel,
        "viewers": max((streams or {}).values(), default=0),
        "lanes": record.lanes,
        "versions": [
            {
                "version": version.version,
                "shards": version.shards,
                "retiring": version.until is not None,
                "viewers": max(shards.get(version.version, Counter()).values(), default=0),
            }
            for version in record.versions
        ],
    }
