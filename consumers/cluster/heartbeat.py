"""What an edge says of itself every two seconds, and what it tells its viewers of their number on all edges.

The heartbeats are also the directory of a cell: they name the partitions that each edge serves.
"""

from collections import Counter

from consumers.delivery.hub import Hub
from consumers.protocol.messages import PresenceReply
from control.presence import Presence, Slot, heartbeat
from kernel.clock import Clock
from schemas.codec import Codec


class Heartbeat:
    """One edge among all edges."""

    def __init__(
        self, *, edge: str, cell: str, url: str, hub: Hub, clock: Clock, codec: Codec, presence: Presence
    ) -> None:
        self.edge, self.cell, self.url = edge, cell, url
        self._hub, self._clock, self._codec, self._presence = hub, clock, codec, presence
        self._pushed: dict[str, int] = {}
        self.leaving = False

    def value(self, partitions: set[int]) -> bytes:
        """What to say now."""
        viewers = (
            (Slot(name, shard.version, shard.number), number)
            for (name, shard), number in self._hub.viewers().items()
        )
        said = heartbeat(
            self.edge,
            cell=self.cell,
            url=self.url,
            at_ms=self._clock.now_ms(),
            leaving=self.leaving,
            partitions=partitions,
            viewers=viewers,
        )
        return self._codec.encode(said)

    def viewers(self, stream: str) -> int:
        """How many watch a stream, over all edges that live."""
        return self._here()[stream] + self._presence.watching(stream, but=self.edge)

    def owner(self, partition: int) -> str | None:
        """The address of another edge of this cell that serves a partition."""
        return self._presence.owner(self.cell, partition, but=self.edge)

    def push(self) -> None:
        """Tell subscribers of streams whose audience has changed since they were told."""
        counts = {
            name: here + self._presence.watching(name, but=self.edge) for name, here in self._here().items()
        }
        for audience in self._hub.audiences():
            if self._pushed.get(audience.name) != counts[audience.name]:
                audience.announce(PresenceReply(stream=audience.name, viewers=counts[audience.name]))
        self._pushed = counts

    def _here(self) -> Counter[str]:
        here: Counter[str] = Counter()
        for (name, _), number in self._hub.viewers().items():
            here[name] += number
        return here
