"""Who watches what: the sum of the edges' heartbeats. An edge that has fallen silent does not count. Pure."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from control.heartbeats import read_part_key

#: Edges say something every 2 s; one that has said nothing for so long is dead.
DEAD_AFTER_S: Final = 8.0


class Slot(NamedTuple):
    """A share of a stream's viewers."""

    stream: str
    version: int
    shard: int


#: Under this key on touchline.presence lie the sums over all edges. No edge is called so: names of edges are
#: made of hosts and ports, and whoever reads heartbeats passes over keys that begin with a `$`.
TOTAL_KEY: Final = "$audience"
#: Streams whose sums are told, the largest first; the sum of all has no bound.
_TOLD: Final = 5000


class _Edge(NamedTuple):
    heard: float
    viewers: Mapping[Slot, int]


class Audience:
    """The latest heartbeat of each edge. Times are monotonic: whose clock is right plays no part."""

    def __init__(self) -> None:
        self._edges: dict[str, _Edge] = {}

    def heard(self, edge: str, value: Mapping[str, Any] | None, now: float) -> None:
        """A heartbeat, or (None) an edge's last word."""
        if value is None:
            self._edges.pop(edge, None)
            return
        viewers: Counter[Slot] = Counter()
        for row in value["streams"]:
            if row["viewers"] > 0:
                viewers[Slot(row["stream"], row["version"], row["shard"])] += row["viewers"]
        self._edges[edge] = _Edge(now, viewers)

    def living(self, now: float) -> list[str]:
        """The edges that count; those that don't are forgotten."""
        self._edges = {name: e for name, e in self._edges.items() if now - e.heard < DEAD_AFTER_S}
        return sorted({read_part_key(key)[0] for key in self._edges})

    def viewers(self, now: float) -> Counter[Slot]:
        """Viewers of each place, over all living edges."""
        self.living(now)
        total: Counter[Slot] = Counter()
        for edge in self._edges.values():
            total.update(edge.viewers)
        return total


def by_stream(viewers: Mapping[Slot, int]) -> Counter[str]:
    """Viewers of each stream."""
    total: Counter[str] = Counter()
    for place, count in viewers.items():
        total[place.stream] += count
    return total


def by_channel(viewers: Mapping[Slot, int]) -> dict[str, int]:
    """Viewers that a channel's shards carry: who watches its chat and its broadcasts is most likely one
    person, so the larger of the streams counts, not their sum."""
    total: dict[str, int] = {}
    for stream, count in by_stream(viewers).items():
        channel = stream.partition(":")[2]
        total[channel] = max(total.get(channel, 0), count)
    return total


def totals(viewers: Mapping[Slot, int], at_ms: int) -> dict[str, Any]:
    """The record under TOTAL_KEY: all viewers (the row without a stream), and those of each stream."""
    streams = by_stream(viewers).most_common(_TOLD)
    rows = [("", sum(viewers.values())), *sorted(streams)]
    named = [{"stream": name, "version": 0, "shard": 0, "viewers": count} for name, count in rows]
    return {"edge": TOTAL_KEY, "cell": "", "at": at_ms, "streams": named}


def by_version(viewers: Mapping[Slot, int]) -> dict[str, Counter[int]]:
    """Channel -> version -> viewers."""
    total: dict[str, Counter[int]] = {}
    for place, count in viewers.items():
        total.setdefault(place.stream.partition(":")[2], Counter())[place.version] += count
    return total
