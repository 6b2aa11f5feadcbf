"""Who watches what, for operators: channels with their viewers, versions and shards. Pure."""

from collections import Counter
from collections.abc import Callable, Iterable
from heapq import nsmallest
from typing import Any, Final

from control.channels.channel import ChannelRecord
from control.edges.presence import Beat
from kernel.log.positions import split_lane

#: An operator looks at the largest; a page with ten thousand rows helps nobody.
MOST_CHANNELS: Final = 50


class Audiences:
    """What edges say of their viewers. A channel's are those of its most watched stream: who watches ticker
    and chat of a match is one viewer, not two."""

    def __init__(self, beats: Iterable[Beat]) -> None:
        self._streams: dict[str, Counter[str]] = {}
        self._shards: dict[str, dict[int, Counter[str]]] = {}
        for beat in beats:
            for slot, viewers in beat.viewers.items():
                channel = split_lane(slot.stream.partition(":")[2])[0]
                self._streams.setdefault(channel, Counter())[slot.stream] += viewers
                versions = self._shards.setdefault(channel, {})
                versions.setdefault(slot.version, Counter())[slot.stream] += viewers

    def largest(self, also: Iterable[str]) -> list[str]:
        """The channels with most viewers, then others."""
        names = self._streams.keys() | set(also)
        viewers = {name: max(self._streams.get(name, {}).values(), default=0) for name in names}
        return nsmallest(MOST_CHANNELS, names, key=lambda name: (-viewers[name], name))

    def row(self, record: ChannelRecord) -> dict[str, Any]:
        """What there is to show of one."""
        return _row(record, self._streams.get(record.channel), self._shards.get(record.channel, {}))


def by_channel(
    beats: Iterable[Beat],
    known: Iterable[ChannelRecord],
    record_of: Callable[[str], ChannelRecord] = lambda name: ChannelRecord(channel=name),
) -> list[dict[str, Any]]:
    """The channels with most viewers, then those that were changed."""
    audiences, records = Audiences(beats), {record.channel: record for record in known}
    return [audiences.row(records.get(name) or record_of(name)) for name in audiences.largest(records)]


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
