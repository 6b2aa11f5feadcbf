"""Who watches what: the edges' heartbeats, and their sums. Edges, workers and gateways count by this alike.

Pure but for the clock. An edge that says nothing any more does not count.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final, NamedTuple

from control.edges.heartbeat_parts import StreamSums, part_key, read_part_key
from control.topic_tables.table import Row
from kernel.clock import Clock
from kernel.log.positions import split_lane

#: How often an edge says something.
BEAT_S: Final = 2.0
#: One that has said nothing for so long is dead. Counted from when it was heard, by the hearer's own
#: monotonic clock: the wall clocks of two machines may be hours apart.
DEAD_AFTER_S: Final = 7.0
#: Under this key on touchline.presence lie the sums over all edges. No edge is called so: names of edges are
#: made of hosts and ports, and whoever reads heartbeats passes over keys that begin with a `$`.
TOTAL_KEY: Final = "$audience"
#: Streams whose sums are told, the largest first; the sum of all has no bound.
_TOLD: Final = 5000


class Slot(NamedTuple):
    """A share of a stream's viewers."""

    stream: str
    version: int
    shard: int


class Beat(NamedTuple):
    """What one edge said last."""

    edge: str
    cell: str
    url: str
    leaving: bool
    partitions: frozenset[int]
    viewers: Mapping[Slot, int]
    streams: Mapping[str, int]
    append_ms: int
    heard: float


def beat_of(row: Row, now: float) -> Beat:
    """A heartbeat as it was heard."""
    said: Any = row.value
    viewers: Counter[Slot] = Counter()
    for each in said["streams"]:
        if each["viewers"] > 0:
            viewers[Slot(each["stream"], each["version"], each["shard"])] += each["viewers"]
    return Beat(
        *(row.key, said["cell"], said["url"], said["leaving"], frozenset(said["partitions"])),
        *(viewers, by_stream(viewers), row.append_ms, now),
    )


def heartbeat(
    edge: str,
    *,
    cell: str,
    url: str,
    at_ms: int,
    leaving: bool = False,
    partitions: Collection[int] = (),
    viewers: Iterable[tuple[Slot, int]] = (),
) -> dict[str, Any]:
    """What an edge says of itself, for the codec."""
    return {
        "edge": edge,
        "cell": cell,
        "url": url,
        "at": at_ms,
        "leaving": leaving,
        "partitions": sorted(partitions),
        "streams": [{**slot._asdict(), "viewers": number} for slot, number in viewers],
    }


class Presence:
    """The latest heartbeat of each edge."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._beats: dict[str, Beat] = {}
        self._sums = StreamSums()
        self._looked_at = -1.0
        #: When Kafka appended the newest heartbeat, and when it was heard.
        self._append_ms, self._append_at = 0, 0.0

    def learn(self, row: Row) -> None:
        """A heartbeat came; without a value: an edge has taken its leave."""
        if row.key.startswith("$"):
            return
        if row.value is None:
            self._forget(row.key)
            return
        now = self._clock.monotonic()
        beat = self._beats[row.key] = beat_of(row, now)
        self._sums.heard(row.key, beat.streams)
        if row.append_ms >= self._append_ms:
            self._append_ms, self._append_at = row.append_ms, now

    def settle(self) -> None:
        """All from before is read: that counts from when it was said, and not from when it was read."""
        for edge, beat in self._beats.items():
            age_s = (self._append_ms - beat.append_ms) / 1000
            self._beats[edge] = beat._replace(heard=beat.heard - age_s)

    def beats(self) -> list[Beat]:
        """What each edge that lives said last; those that don't are forgotten."""
        self._forget_silent()
        return list(self._beats.values())

    def _forget_silent(self) -> None:
        now = self._clock.monotonic()
        if now == self._looked_at:
            return  # asked for many streams at once
        self._looked_at = now
        for key in [key for key, beat in self._beats.items() if beat.heard <= now - DEAD_AFTER_S]:
            self._forget(key)

    def edges(self) -> int:
        """How many edges live: a heartbeat may have parts."""
        return len({read_part_key(beat.edge)[0] for beat in self.beats()})

    def parts(self, edge: str) -> int:
        """How many parts of an edge's heartbeat are known, up to the last one."""
        keys = map(read_part_key, self._beats)
        return max((part + 1 for name, part in keys if name == edge), default=0)

    def _forget(self, key: str) -> None:
        self._beats.pop(key, None)
        self._sums.forget(key)

    def viewers(self) -> Counter[Slot]:
        """Viewers of each slot, over all edges that live."""
        total: Counter[Slot] = Counter()
        for beat in self.beats():
            total.update(beat.viewers)
        return total

    def watching(self, stream: str, *, but: str = "") -> int:
        """How many watch a stream, on all edges that live, `but` one."""
        self._forget_silent()
        own, part = 0, 0
        while but and (beat := self._beats.get(part_key(but, part))) is not None:
            own, part = own + beat.streams.get(stream, 0), part + 1
        return self._sums.viewers(stream) - own

    def owner(self, cell: str, partition: int, *, but: str = "") -> str | None:
        """The address of the edge of a cell that serves a partition and stays."""
        for beat in self.beats():
            if beat.cell == cell and beat.edge != but and not beat.leaving and partition in beat.partitions:
                return beat.url
        return None

    def broker_ms(self) -> int:
        """The brokers' time, which records and a channel's versions go by; this machine's may be off."""
        if not self._append_ms:
            return self._clock.now_ms()
        return self._append_ms + round((self._clock.monotonic() - self._append_at) * 1000)


def by_stream(viewers: Mapping[Slot, int]) -> Counter[str]:
    """Viewers of each stream."""
    total: Counter[str] = Counter()
    for slot, count in viewers.items():
        total[slot.stream] += count
    return total


def by_channel(viewers: Mapping[Slot, int]) -> dict[str, int]:
    """Viewers that a channel's shards carry: who watches its chat and its broadcasts is most likely one
    person, so the larger of the streams counts, not their sum. Who watches a lane counts for its channel.
    """
    total: dict[str, int] = {}
    for stream, count in by_stream(viewers).items():
        channel = split_lane(stream.partition(":")[2])[0]
        total[channel] = max(total.get(channel, 0), count)
    return total


def by_version(viewers: Mapping[Slot, int]) -> dict[str, Counter[int]]:
    """Channel -> version -> viewers, those of its lanes too."""
    total: dict[str, Counter[int]] = {}
    for slot, count in viewers.items():
        channel = split_lane(slot.stream.partition(":")[2])[0]
        total.setdefault(channel, Counter())[slot.version] += count
    return total


def totals(viewers: Mapping[Slot, int], at_ms: int) -> dict[str, Any]:
    """The record under TOTAL_KEY: all viewers (the row without a stream), and those of each stream."""
    streams = by_stream(viewers).most_common(_TOLD)
    rows = [("", sum(viewers.values())), *sorted(streams)]
    slots = [(Slot(name, 0, 0), count) for name, count in rows]
    return heartbeat(TOTAL_KEY, cell="", url="", at_ms=at_ms, viewers=slots)
