"""Who is where: each edge says every two seconds how many watch what on it, and reads what the others say.

The same heartbeats are the directory of a cell: they name the partitions that each edge serves. What is done
here for all streams comes in parts, so that others have their turn in between.
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from consumers.delivery.hub import Hub
from consumers.protocol.messages import PresenceReply
from control.heartbeats import StreamSums, part_key, parts_of, read_part_key
from kernel.clock import Clock
from kernel.logs import get_logger
from schemas.codec import Codec, Undecodable

_log = get_logger("touchline.presence")
BEAT_S: Final = 2.0
#: An edge that has said nothing for so long is gone. Counted from when it was heard, by the hearer's own
#: monotonic clock: the wall clocks of two machines may be hours apart.
GONE_S: Final = 7.0
#: Streams whose viewers are told their number in one turn.
_TOLD_A_TURN: Final = 200


class Beat(NamedTuple):
    """What one edge said last."""

    cell: str
    url: str
    heard: float
    leaving: bool
    partitions: frozenset[int]


class Presence:
    """All edges' heartbeats, and one's own."""

    def __init__(self, *, edge: str, cell: str, url: str, hub: Hub, clock: Clock, codec: Codec) -> None:
        self.edge, self.cell, self.url = edge, cell, url
        self._hub, self._clock = hub, clock
        self._codec = codec
        self._others: dict[str, Beat] = {}
        self._sums = StreamSums()
        #: Parts of its own heartbeat that are on the log.
        self._parts = 1
        self._pushed: dict[str, int] = {}
        self.leaving = False

    def learn(self, edge: str, value: bytes | None) -> None:
        """A heartbeat came; None: an edge has taken its leave."""
        name, part = read_part_key(edge)
        if self.edge in {name, edge}:
            # Its own words, maybe of an earlier life: what is not said again has to go.
            if value is not None and name == self.edge:
                self._parts = max(self._parts, part + 1)
            return
        if value is None:
            self._others.pop(edge, None)
            self._sums.forget(edge)
            return
        if edge.startswith("$"):
            return  # the workers' sums
        try:
            said = self._codec.decode(value)
        except Undecodable as error:
            _log.warning("a heartbeat is not readable", edge=edge, why=str(error))
            return
        self._sums.heard(edge, said["streams"])
        self._others[edge] = Beat(
            said["cell"],
            said["url"],
            self._clock.monotonic(),
            said["leaving"],
            frozenset(said["partitions"]),
        )

    def heartbeat(self, partitions: set[int]) -> Iterator[tuple[str, bytes | None]]:
        """What to say now: keys and values, the part that says which partitions are here first."""
        parts = parts_of(list(self._hub.viewers().items()))
        for number, rows in enumerate(parts):
            streams: list[dict[str, Any]] = [
                {"stream": name, "version": shard.version, "shard": shard.number, "viewers": viewers}
                for (name, shard), viewers in rows
            ]
            yield (
                part_key(self.edge, number),
                self._codec.encode(
                    {
                        "edge": self.edge,
                        "cell": self.cell,
                        "url": self.url,
                        "at": self._clock.now_ms(),
                        "leaving": self.leaving,
                        "partitions": [] if number else sorted(partitions),
                        "streams": streams,
                    }
                ),
            )
        before, self._parts = self._parts, len(parts)
        yield from self._gone(len(parts), before)

    def farewell(self) -> Iterator[tuple[str, None]]:
        """What to say last."""
        yield from self._gone(0, self._parts)

    def _gone(self, first: int, end: int) -> Iterator[tuple[str, None]]:
        return ((part_key(self.edge, number), None) for number in range(first, end))

    def viewers(self, stream: str) -> int:
        """How many watch a stream, over all edges that live."""
        self._forget_silent()
        return self._viewers(stream)

    def _viewers(self, stream: str) -> int:
        here = sum(audience.viewers for audience in self._hub.audiences_of(stream))
        return here + self._sums.viewers(stream)

    def owner(self, partition: int) -> str | None:
        """The address of the edge of this cell that serves a partition."""
        for beat in self._alive():
            if beat.cell == self.cell and not beat.leaving and partition in beat.partitions:
                return beat.url
        return None

    def push(self) -> Iterator[None]:
        """Tell subscribers of streams whose audience has changed since they were told; in turns."""
        self._forget_silent()
        counts = {name: self._viewers(name) for name in self._hub.streams()}
        before, self._pushed = self._pushed, counts
        for number, (name, viewers) in enumerate(counts.items()):
            if before.get(name) != viewers:
                for audience in self._hub.audiences_of(name):
                    audience.announce(PresenceReply(stream=name, viewers=viewers))
            if number % _TOLD_A_TURN == _TOLD_A_TURN - 1:
                yield

    def _alive(self) -> list[Beat]:
        self._forget_silent()
        return list(self._others.values())

    def _forget_silent(self) -> None:
        oldest = self._clock.monotonic() - GONE_S
        for edge in [edge for edge, beat in self._others.items() if beat.heard < oldest]:
            del self._others[edge]
            self._sums.forget(edge)
