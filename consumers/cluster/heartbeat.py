"""What an edge says of itself every two seconds, and what it tells its viewers of their number on all edges.

The heartbeats are also the directory of a cell: they name the partitions that each edge serves.
"""

from collections.abc import Iterator
from typing import Final

from consumers.delivery.hub import Hub
from consumers.protocol.messages import PresenceReply
from control.edges.heartbeat_parts import part_key, parts_of
from control.edges.presence import Presence, Slot, heartbeat
from kernel.clock import Clock
from schemas.codec import Codec

#: Streams whose viewers are told their number in one turn.
_TOLD_A_TURN: Final = 200


class Heartbeat:
    """One edge among all edges."""

    def __init__(
        self, *, edge: str, cell: str, url: str, hub: Hub, clock: Clock, codec: Codec, presence: Presence
    ) -> None:
        self.edge, self.cell, self.url = edge, cell, url
        self._hub, self._clock, self._codec, self._presence = hub, clock, codec, presence
        self._pushed: dict[str, int] = {}
        self._said = 1
        self.leaving = False

    def parts(self, partitions: set[int]) -> Iterator[tuple[str, bytes | None]]:
        """What to say now: keys and values, the part that says which partitions are here first."""
        parts = parts_of(list(self._hub.viewers().items()))
        for number, rows in enumerate(parts):
            viewers = ((Slot(name, shard.version, shard.number), count) for (name, shard), count in rows)
            said = heartbeat(
                self.edge,
                cell=self.cell,
                url=self.url,
                at_ms=self._clock.now_ms(),
                leaving=self.leaving,
                partitions=() if number else partitions,
                viewers=viewers,
            )
            yield part_key(self.edge, number), self._codec.encode(said)
        # Those of before, maybe of an earlier life, that are not said again.
        before, self._said = max(self._said, self._presence.parts(self.edge)), len(parts)
        yield from self._taken_back(len(parts), before)

    def farewell(self) -> Iterator[tuple[str, None]]:
        """What to say last."""
        yield from self._taken_back(0, max(self._said, self._presence.parts(self.edge)))

    def _taken_back(self, first: int, end: int) -> Iterator[tuple[str, None]]:
        return ((part_key(self.edge, number), None) for number in range(first, end))

    def viewers(self, stream: str) -> int:
        """How many watch a stream, over all edges that live."""
        here = sum(audience.viewers for audience in self._hub.audiences_of(stream))
        return here + self._presence.watching(stream, but=self.edge)

    def owner(self, partition: int) -> str | None:
        """The address of another edge of this cell that serves a partition."""
        return self._presence.owner(self.cell, partition, but=self.edge)

    def push(self) -> Iterator[None]:
        """Tell subscribers of streams whose audience has changed since they were told; in turns."""
        counts: dict[str, int] = {}
        for number, name in enumerate(self._hub.streams()):
            viewers = counts[name] = self.viewers(name)
            if self._pushed.get(name) != viewers:
                for audience in self._hub.audiences_of(name):
                    audience.announce(PresenceReply(stream=name, viewers=viewers))
            if number % _TOLD_A_TURN == _TOLD_A_TURN - 1:
                yield
        self._pushed = counts
