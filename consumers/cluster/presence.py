"""Who is where: each edge says every two seconds how many watch what on it, and reads what the others say.

The same heartbeats are the directory of a cell: they name the partitions that each edge serves.
"""

from typing import Any, Final, NamedTuple

from consumers.delivery.hub import Hub
from consumers.protocol.messages import PresenceReply
from kernel.clock import Clock
from kernel.logs import get_logger
from schemas.codec import Codec, Undecodable

_log = get_logger("touchline.presence")
BEAT_S: Final = 2.0
#: An edge that has said nothing for so long is gone. Counted from when it was heard, by the hearer's own
#: monotonic clock: the wall clocks of two machines may be hours apart.
GONE_S: Final = 7.0


class Beat(NamedTuple):
    """What one edge said last."""

    cell: str
    url: str
    heard: float
    leaving: bool
    partitions: frozenset[int]
    viewers: dict[str, int]


class Presence:
    """All edges' heartbeats, and one's own."""

    def __init__(self, *, edge: str, cell: str, url: str, hub: Hub, clock: Clock, codec: Codec) -> None:
        self.edge, self.cell, self.url = edge, cell, url
        self._hub, self._clock = hub, clock
        self._codec = codec
        self._others: dict[str, Beat] = {}
        self._pushed: dict[str, int] = {}
        self.leaving = False

    def learn(self, edge: str, value: bytes | None) -> None:
        """A heartbeat came; None: an edge has taken its leave."""
        if value is None:
            self._others.pop(edge, None)
            return
        if edge == self.edge or edge.startswith("$"):
            return  # its own words, or the workers' sums
        try:
            said = self._codec.decode(value)
        except Undecodable as error:
            _log.warning("a heartbeat is not readable", edge=edge, why=str(error))
            return
        viewers: dict[str, int] = {}
        for audience in said["streams"]:
            viewers[audience["stream"]] = viewers.get(audience["stream"], 0) + audience["viewers"]
        self._others[edge] = Beat(
            said["cell"],
            said["url"],
            self._clock.monotonic(),
            said["leaving"],
            frozenset(said["partitions"]),
            viewers,
        )

    def heartbeat(self, partitions: set[int]) -> bytes:
        """What to say now."""
        streams: list[dict[str, Any]] = [
            {"stream": name, "version": shard.version, "shard": shard.number, "viewers": viewers}
            for (name, shard), viewers in self._hub.viewers().items()
        ]
        return self._codec.encode(
            {
                "edge": self.edge,
                "cell": self.cell,
                "url": self.url,
                "at": self._clock.now_ms(),
                "leaving": self.leaving,
                "partitions": sorted(partitions),
                "streams": streams,
            }
        )

    def viewers(self, stream: str) -> int:
        """How many watch a stream, over all edges that live."""
        here = sum(n for (name, _), n in self._hub.viewers().items() if name == stream)
        return here + sum(beat.viewers.get(stream, 0) for beat in self._alive())

    def owner(self, partition: int) -> str | None:
        """The address of the edge of this cell that serves a partition."""
        for beat in self._alive():
            if beat.cell == self.cell and not beat.leaving and partition in beat.partitions:
                return beat.url
        return None

    def push(self) -> None:
        """Tell subscribers of streams whose audience has changed since they were told."""
        counts = {name: self.viewers(name) for name, _ in self._hub.viewers()}
        for audience in self._hub.audiences():
            if self._pushed.get(audience.name) != counts[audience.name]:
                audience.announce(PresenceReply(stream=audience.name, viewers=counts[audience.name]))
        self._pushed = counts

    def _alive(self) -> list[Beat]:
        oldest = self._clock.monotonic() - GONE_S
        return [beat for beat in self._others.values() if beat.heard >= oldest]
