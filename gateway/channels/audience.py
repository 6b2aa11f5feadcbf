"""Who watches what, for operators: channels with their viewers, versions and shards. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final

from kernel.positions import Stream

#: An operator looks at the largest; a page with ten thousand rows helps nobody.
MOST_CHANNELS: Final = 50


def by_channel(
    beats: Iterable[Mapping[str, Any]], known: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """The channels with most viewers, then those that were changed. A channel's viewers are those of its
    most watched stream: who watches ticker and chat of a match is one viewer, not two.
    """
    streams: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    shards: dict[str, dict[int, dict[str, int]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(int)))
    for beat in beats:
        for audience in beat["streams"]:
            channel, viewers = Stream.parse(audience["stream"]).channel, audience["viewers"]
            streams[channel][audience["stream"]] += viewers
            shards[channel][audience["version"]][audience["stream"]] += viewers
    rows = [
        {
            "channel": channel,
            "viewers": max(streams[channel].values(), default=0),
            "lanes": known.get(channel, {}).get("lanes", 0),
            "versions": _versions(known.get(channel, {}).get("versions", ()), shards[channel]),
        }
        for channel in streams.keys() | {name for name in known if not name.startswith("$")}
    ]
    return sorted(rows, key=lambda row: (-row["viewers"], row["channel"]))[:MOST_CHANNELS]


def _versions(
    versions: Iterable[Mapping[str, Any]], viewers: Mapping[int, Mapping[str, int]]
) -> list[dict[str, Any]]:
    """What nobody has changed has one version with one shard."""
    return [
        {
            "version": version["version"],
            "shards": version["shards"],
            "retiring": version["until"] is not None,
            "viewers": max(viewers.get(version["version"], {}).values(), default=0),
        }
        for version in versions or ({"version": 1, "shards": 1, "until": None},)
    ]
