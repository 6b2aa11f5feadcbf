"""All rooms of a user as a client follows them: what it asks for anew on each connection, and what it has.

The edge knows by the device's acknowledgements what comes again; what came before on this client's own
connections is left out here. Without I/O, as `core`; the JavaScript client has its twin.
"""

from collections.abc import Callable, Mapping
from math import inf
from typing import Any, Final

from consumers.client.machine.host import Gap, Host
from consumers.client.machine.network import Connection, Network
from consumers.protocol.shapes import MAX_SEQS
from kernel.errors import TouchlineError
from schemas.events import Event

#: Acknowledgements of so long go together.
ACK_MS: Final = 100
#: What was refused for now is asked again after this.
_AGAIN_MS: Final = 1000
#: What is told as it comes.
PUSHES: Final = frozenset(
    {"inbox", "receipt", "typing", "join", "leave", "near", "away", "reactions", "poll", "feed"}
)


class RoomSync:
    """What is wanted of all rooms."""

    def __init__(self, network: Network, host: Host, new_id: Callable[[], int]) -> None:
        self._network, self._host, self._new_id = network, host, new_id
        self._sync, self._inbox = False, 0
        self._asked: set[int] = set()
        self._cursors: dict[str, int] = {}
        self._acks: dict[str, int] = {}
        self._ack_at = self._again_at = inf

    # ── what the user asks for ───────────────────────────────────────────────────────────────────────

    def sync(self) -> None:
        """Follow all rooms from now on, on whatever connection."""
        if not self._sync:
            self._sync = True
            self._ask({"op": "sync"})

    def inbox(self, limit: int) -> None:
        """The rows of all rooms, and their changes from then on; 0: no more."""
        before, self._inbox = self._inbox, limit
        if limit:
            self._ask({"op": "inbox", "limit": limit})
        elif before:
            self._ask({"op": "inbox", "off": True})

    def ack(self, stream: str, seq: int, now: float) -> None:
        """This device has it. What cannot be said now is said on the next connection."""
        self._acks[stream] = max(seq, self._acks.get(stream, 0))
        self._ack_at = min(self._ack_at, now + ACK_MS)

    def clear(self) -> None:
        """Nothing is wanted any more."""
        self._sync, self._inbox, self._ack_at, self._again_at = False, 0, inf, inf
        self._acks.clear()

    # ── time, and connections ────────────────────────────────────────────────────────────────────────

    def tick(self, now: float) -> None:
        if now >= self._ack_at:
            self._ack_at = inf
            self.flush()
        if now >= self._again_at:
            self._again_at = inf
            for connection in self._network.home.live[:1]:
                self.live(connection)

    @property
    def deadline(self) -> float:
        return min(self._ack_at, self._again_at)

    def flush(self) -> None:
        """Say what was acknowledged, where there is a connection."""
        live = self._network.home.live
        while self._acks and live:
            some = dict(list(self._acks.items())[:MAX_SEQS])
            self._acks = dict(list(self._acks.items())[MAX_SEQS:])
            self._host.send(live[0].number, {"op": "ack", "seqs": some})

    def live(self, connection: Connection) -> None:
        """A connection is ready: ask anew."""
        if not connection.route.home:
            return
        self.flush()
        if self._sync:
            self._send(connection, {"op": "sync"})
        if self._inbox:
            self._send(connection, {"op": "inbox", "limit": self._inbox})

    # ── what an edge says ────────────────────────────────────────────────────────────────────────────

    def event(self, event: Event) -> None:
        """An event of a stream that is not watched by itself."""
        if self._sync and event.seq > self._cursors.get(event.stream, 0):
            self._cursors[event.stream] = event.seq
            self._host.event(event.stream, event)

    def left(self, stream: str, cursor: int) -> None:
        """A stream that is served elsewhere ended there: whoever comes back to the room has this already."""
        self._cursors[stream] = max(cursor, self._cursors.get(stream, 0))

    def after(self, stream: str, told: int) -> int:
        """From where on a stream is followed that is served elsewhere."""
        return max(told, self._cursors.get(stream, 0))

    def gap(self, gap: Gap) -> None:
        """The same of what is not to be had."""
        if self._sync and gap.seq > self._cursors.get(gap.stream, 0):
            self._cursors[gap.stream] = gap.seq - 1
            self._host.gap(gap.stream, gap)

    def takes(self, message: Mapping[str, Any]) -> bool:
        """Whether this is an answer to what is asked here, or told unasked."""
        number = message.get("id")
        if number is None:
            known = message.get("op") in PUSHES
        else:
            known = number in self._asked
            self._asked.discard(number)
        if known:
            self._host.told(message)
        return known

    def error(self, number: int, error: TouchlineError, now: float, *, again: bool) -> bool:
        """Whether what was refused was asked here, and is dealt with."""
        if number not in self._asked:
            return False
        self._asked.discard(number)
        if again:
            self._again_at = min(self._again_at, now + _AGAIN_MS)
        else:
            self._host.refused("", error)
        return True

    def _ask(self, message: Mapping[str, Any]) -> None:
        for connection in self._network.home.live[:1]:
            self._send(connection, message)

    def _send(self, connection: Connection, message: Mapping[str, Any]) -> None:
        number = self._new_id()
        self._asked.add(number)
        self._host.send(connection.number, {"id": number, **message})
