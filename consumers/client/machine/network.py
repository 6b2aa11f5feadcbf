"""Ways to edges and their connections: opening, losing, handing over, and finding out that one is dead."""

from collections.abc import Sequence
from enum import Enum, auto
from math import inf
from typing import Final, Protocol

from consumers.client.machine.host import Wire
from consumers.client.machine.timing import (
    CONNECT_MS,
    PONG_MS,
    PROVEN_MS,
    QUICK_PONG_MS,
    back_off,
)
from kernel.close_codes import Return, comes_back

_GOING_AWAY: Final = 1000
_LOST: Final = 1006


class Phase(Enum):
    """How far a connection has come."""

    OPENING = auto()
    AUTHENTICATING = auto()
    LIVE = auto()


class Connection:
    """One socket."""

    def __init__(self, number: int, route: "Route", now: float) -> None:
        self.number, self.route, self.heard_at = number, route, now
        self.phase = Phase.OPENING
        self.heartbeat_ms, self.jitter_ms = 25_000.0, 5_000.0
        self.live_since: float | None = None
        #: When a ping that was sent counts as unanswered.
        self.pong_by: float | None = None
        #: Streams whose `subscribed` is awaited, by the id of the request: events before it are leftovers.
        self.awaited: dict[str, int] = {}
        #: Streams that were asked for on this connection.
        self.streams: set[str] = set()

    @property
    def deadline(self) -> float:
        """When something has to be heard."""
        if self.phase is not Phase.LIVE:
            return self.heard_at + CONNECT_MS
        return self.heard_at + self.heartbeat_ms if self.pong_by is None else self.pong_by


class Route:
    """A way to an edge: one connection, or two while a new one takes over from the old."""

    def __init__(self, url: str, *, home: bool = False) -> None:
        self.url, self.home = url, home
        self.current: Connection | None = None
        #: Takes over once it serves every stream of `current`.
        self.successor: Connection | None = None
        #: When to open the next connection: a retry, or a drain's appointment.
        self.due_at: float | None = None
        #: Failed tries in a row.
        self.attempt = 0
        #: The edge of `current` is leaving, and a successor is wanted.
        self.draining = False

    @property
    def connections(self) -> list[Connection]:
        return [connection for connection in (self.current, self.successor) if connection is not None]

    @property
    def live(self) -> list[Connection]:
        return [connection for connection in self.connections if connection.phase is Phase.LIVE]


class Events(Protocol):
    """What becomes of the streams when connections come and go."""

    def connection_lost(self, connection: Connection, code: int) -> None: ...

    def closed_for_good(self, code: int) -> None: ...

    def stranded(self, route: Route, now: float) -> None:
        """A route other than the home one has failed."""


class Network:
    """All routes. `home` is the way to the edges that one was told of; redirects lead to others."""

    def __init__(self, urls: Sequence[str], wire: Wire, events: Events) -> None:
        self._urls, self._wire, self._events = urls, wire, events
        self.online, self._offline_at = True, 0.0
        #: Nothing is opened before the client starts, after it stops, and once it was refused.
        self.halted = True
        self.home = Route("", home=True)
        self.routes = [self.home]
        self.connections: dict[int, Connection] = {}
        self._next, self._url = 1, 0

    def route_to(self, url: str, now: float) -> Route:
        """The way to this address, made if need be, with a connection on its way."""
        route = next((known for known in self.routes if known.url == url), None)
        if route is None:
            route = Route(url)
            self.routes.append(route)
        self.wake(route, now)
        return route

    def wake(self, route: Route, now: float) -> None:
        """Open a connection as soon as may be, where there is none."""
        if not self.halted and not route.connections:
            route.due_at = now if route.due_at is None else min(route.due_at, now)

    def closed(self, number: int, code: int, now: float) -> None:
        """A socket has closed, or did not open."""
        connection = self.connections.pop(number, None)
        if connection is None:
            return
        route = connection.route
        was_successor = route.successor is connection
        if was_successor:
            route.successor = None
        else:
            route.current, route.successor, route.draining = route.successor, None, False
        self._events.connection_lost(connection, code)
        if comes_back(code) is Return.NEVER:
            self._events.closed_for_good(code)
        # A successor is tried for again only while the old connection still has to be replaced.
        elif (not route.draining) if was_successor else (route.current is not None):
            return
        elif route.home or was_successor:
            self._retry(connection, code, now)
        else:
            self.routes.remove(route)
            self._events.stranded(route, now)

    def drop(self, connection: Connection, now: float) -> None:
        """Close it from here: nothing that it still says counts."""
        self._wire.close(connection.number, _GOING_AWAY)
        self.closed(connection.number, _LOST, now)

    def _retry(self, connection: Connection, code: int, now: float) -> None:
        route, live_since = connection.route, connection.live_since
        if live_since is None:
            self._url += 1
        elif now - live_since >= PROVEN_MS:
            route.attempt = 0
        chance = self._wire.random()
        if comes_back(code) is Return.AT_ONCE and live_since is not None:
            wait = chance * connection.jitter_ms
        else:
            wait = back_off(route.attempt, chance)
            route.attempt += 1
        route.due_at = now + wait if route.due_at is None else min(route.due_at, now + wait)

    def drain(self, connection: Connection, in_ms: float, now: float) -> None:
        """The edge asks to leave: a second connection at the appointed time, while this one goes on."""
        connection.route.draining = True
        self._url += 1  # this address is leaving: the next one, where there is one
        if connection.route.successor is None:
            connection.route.due_at = now + in_ms

    def hand_over(self, route: Route) -> Connection | None:
        """The successor takes over once it serves all that was asked of it; the connection it replaced."""
        current, successor = route.current, route.successor
        if current is None or successor is None or successor.phase is not Phase.LIVE or successor.awaited:
            return None
        route.current, route.successor, route.draining = successor, None, False
        del self.connections[current.number]
        self._wire.close(current.number, _GOING_AWAY)
        return current

    def leave(self, route: Route) -> None:
        """Close a route that nothing needs."""
        self.routes = [other for other in self.routes if other is not route or route.home]
        for connection in route.connections:
            del self.connections[connection.number]
            self._wire.close(connection.number, _GOING_AWAY)
        route.current = route.successor = route.due_at = None

    def tick(self, now: float) -> None:
        """Open what is due; ping what is silent; give up what did not answer."""
        for route in list(self.routes):
            if self.online and route.due_at is not None and route.due_at <= now:
                self._open(route, now)
        for connection in list(self.connections.values()):
            if connection.deadline > now:
                continue
            if connection.phase is not Phase.LIVE or connection.pong_by is not None:
                self.drop(connection, now)
            else:
                self._ping(connection, now + PONG_MS)

    def set_online(self, online: bool, now: float) -> None:
        """The machine says that its network came or went. Either way what looks alive may be dead."""
        self.online = online
        if online:
            for route in self.routes:
                if route.due_at is not None:
                    route.due_at = now
        else:
            self._offline_at = now
        for connection in self.connections.values():
            if connection.phase is Phase.LIVE:
                self._ping(connection, min(connection.pong_by or inf, now + QUICK_PONG_MS))

    def believes(self, connection: Connection) -> bool:
        """Without a network only what was heard of since counts as alive: an edge on this machine, say."""
        return self.online or connection.heard_at > self._offline_at

    @property
    def deadline(self) -> float:
        """When `tick` is due next."""
        opening = [route.due_at for route in self.routes if self.online and route.due_at is not None]
        return min(
            [*opening, *(connection.deadline for connection in self.connections.values())], default=inf
        )

    def _ping(self, connection: Connection, pong_by: float) -> None:
        connection.pong_by = pong_by
        self._wire.send(connection.number, {"op": "ping"})

    def _open(self, route: Route, now: float) -> None:
        route.due_at = None
        connection = Connection(self._next, route, now)
        self._next += 1
        if route.current is None:
            route.current = connection
        else:
            route.successor = connection
        self.connections[connection.number] = connection
        self._wire.open(
            connection.number, self._urls[self._url % len(self._urls)] if route.home else route.url
        )
