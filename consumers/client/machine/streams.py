"""The streams that are watched: where each is served, where it stands, and what an edge says about it."""

from collections.abc import Callable, Mapping
from math import inf
from typing import Any, Final

from consumers.client.machine.host import Gap, Host
from consumers.client.machine.network import Connection, Network, Phase, Route
from consumers.client.machine.subscription import Start, Subscription, Verdict, whole_of
from consumers.client.machine.timing import back_off
from kernel.errors import TouchlineError
from schemas.events import Event

#: So many redirects are followed at once; more of them mean that the edges do not agree.
_PATIENT_REDIRECTS: Final = 3


class _Watch:
    """A subscription, and who serves it."""

    def __init__(self, subscription: Subscription, route: Route, *, follows: bool) -> None:
        self.subscription, self.route = subscription, route
        #: It is one of all rooms, which the home edge knows: another one may not know it yet, or any more.
        self.follows = follows
        #: The connection that last confirmed it.
        self.served_by: Connection | None = None


class Streams:
    """All subscriptions of a client, one a stream."""

    def __init__(
        self, network: Network, host: Host, new_id: Callable[[], int], left: Callable[[str, int], None]
    ) -> None:
        """`left` is told of one of all rooms that is followed no more, and how far it was."""
        self._network, self._host, self._new_id, self._left = network, host, new_id, left
        self._watches: dict[str, _Watch] = {}

    # ── what the user asks for ───────────────────────────────────────────────────────────────────────

    def subscribe(self, stream: str, start: Start, now: float, *, follows: bool = False) -> None:
        if stream in self._watches:
            raise TouchlineError("bad_request", f"{stream} is subscribed already: one subscription a stream.")
        subscription = Subscription(stream, start)
        watch = self._watches[stream] = _Watch(subscription, self._network.home, follows=follows)
        self._ask(watch, now)

    def unsubscribe(self, stream: str) -> None:
        if self._watches.pop(stream, None) is not None:
            self._silence(stream)
            self._prune()

    def pause(self, stream: str) -> None:
        """No more of this stream until `resume`, which goes on where it stopped."""
        watch = self._watches.get(stream)
        if watch is not None and not watch.subscription.paused:
            watch.subscription.paused = True
            self._silence(stream)

    def resume(self, stream: str, now: float) -> None:
        watch = self._watches.get(stream)
        if watch is not None and watch.subscription.paused:
            watch.subscription.paused = False
            self._ask(watch, now)

    def cursor(self, stream: str) -> int | None:
        watch = self._watches.get(stream)
        return None if watch is None else watch.subscription.cursor

    def has(self, stream: str) -> bool:
        """Whether a stream is watched, or the one of which it is a lane."""
        return self._watch_of(stream) is not None

    def route_of(self, stream: str) -> Route:
        watch = self._watches.get(stream)
        return self._network.home if watch is None else watch.route

    @property
    def caught_up(self) -> bool:
        return all(w.served_by is not None and w.subscription.caught_up for w in self._watches.values())

    @property
    def behind(self) -> int | None:
        """How many missed events are still to come; None where the edges have not told."""
        late = [w for w in self._watches.values() if w.served_by is None or not w.subscription.caught_up]
        counts = [None if w.served_by is None else w.subscription.behind for w in late]
        known = [count for count in counts if count is not None]
        return sum(known) if len(known) == len(counts) else None

    def clear(self) -> None:
        self._watches.clear()

    # ── time ─────────────────────────────────────────────────────────────────────────────────────────

    def tick(self, now: float) -> None:
        for watch in list(self._watches.values()):
            subscription = watch.subscription
            if subscription.retry_at is not None and subscription.retry_at <= now:
                subscription.retry_at = None
                self._ask(watch, now)

    @property
    def deadline(self) -> float:
        waiting = (watch.subscription.retry_at for watch in self._watches.values())
        return min((at for at in waiting if at is not None), default=inf)

    # ── what an edge says ────────────────────────────────────────────────────────────────────────────

    def event(self, connection: Connection, event: Event) -> None:
        watch = self._watch_of(event.stream)
        if watch is None:
            return
        subscription = watch.subscription
        if subscription.paused or subscription.stream in connection.awaited:
            return
        match subscription.take(event):
            case Verdict.DOUBLE:
                return
            case Verdict.HOLE:
                self._subscribe_on(connection, watch)
                return
        after = subscription.hole_before(event)
        if after is not None:
            gap = Gap(stream=event.stream, after=after, seq=event.seq, reason="not_delivered")
            self._host.gap(subscription.stream, gap)
        subscription.delivered(event)
        self._host.event(subscription.stream, event)

    def subscribed(self, connection: Connection, message: Mapping[str, Any]) -> None:
        stream = message["stream"]
        watch = self._watches.get(stream)
        if watch is None or connection.awaited.get(stream) != message.get("id"):
            return
        del connection.awaited[stream]
        watch.subscription.subscribed(message["seq"], message.get("cursors", {}), message.get("behind"))
        watch.served_by = connection
        self._host.subscribed(stream, message["seq"])
        self._prune()

    def gap(self, gap: Gap) -> None:
        watch = self._watch_of(gap.stream)
        if watch is not None and watch.subscription.skip_to(gap.stream, gap.seq):
            self._host.gap(watch.subscription.stream, gap)

    def redirect(self, connection: Connection, stream: str, url: str, now: float) -> None:
        watch = self._watches.get(stream)
        connection.awaited.pop(stream, None)
        connection.streams.discard(stream)
        if watch is None:
            return
        subscription = watch.subscription
        subscription.attempt += 1
        watch.route = self._network.route_to(url, now)
        if watch.route is connection.route and subscription.attempt > _PATIENT_REDIRECTS:
            # Another edge than the one that is named answers here, as where addresses were given anew.
            self._network.drop(connection, now)
        # Edges that disagree about who serves it send a client in circles: ever more slowly.
        elif watch.route is connection.route or subscription.attempt > _PATIENT_REDIRECTS:
            subscription.retry_at = now + back_off(subscription.attempt, self._host.random())
        else:
            self._ask(watch, now)

    def drain(self, route: Route, at: float) -> None:
        """An edge that was only redirected to leaves: the home edge knows who serves its streams next."""
        for watch in self._watches.values():
            if watch.route is route:
                watch.route, watch.subscription.retry_at = self._network.home, at

    def error(
        self, connection: Connection, number: int, error: TouchlineError, now: float, *, again: bool
    ) -> bool:
        """Whether the refused request was a subscription, and is dealt with."""
        stream = next((name for name, awaited in connection.awaited.items() if awaited == number), None)
        if stream is None:
            return False
        del connection.awaited[stream]
        connection.streams.discard(stream)
        watch = self._watches.get(stream)
        if watch is None:
            return True
        if again:
            self._later(watch.subscription, now)
        else:
            self._refused(connection, watch, error, now)
        return True

    def ended(self, connection: Connection, stream: object, error: TouchlineError, now: float) -> None:
        """The edge has ended a subscription by itself."""
        watch = self._watches.get(stream) if isinstance(stream, str) else None
        if watch is not None:
            connection.streams.discard(watch.subscription.stream)
            self._refused(connection, watch, error, now)

    def _refused(self, connection: Connection, watch: _Watch, error: TouchlineError, now: float) -> None:
        if watch.follows and not connection.route.home:
            watch.route, watch.served_by = self._network.home, None
            self._later(watch.subscription, now)
            return
        stream, cursor = watch.subscription.stream, watch.subscription.cursor
        del self._watches[stream]
        if watch.follows and cursor is not None:
            self._left(stream, cursor)
        self._host.refused(stream, error)

    # ── connections that come and go ─────────────────────────────────────────────────────────────────

    def live(self, connection: Connection) -> None:
        for watch in self._watches.values():
            subscription = watch.subscription
            waits = subscription.paused or subscription.retry_at is not None
            if watch.route is connection.route and not waits:
                self._subscribe_on(connection, watch)

    def lost(self, connection: Connection) -> None:
        for watch in self._watches.values():
            if watch.served_by is connection:
                stream = watch.subscription.stream
                others = (other for other in watch.route.live if stream not in other.awaited)
                watch.served_by = next(others, None)

    def stranded(self, route: Route, now: float) -> None:
        """A route other than the home one is gone."""
        for watch in self._watches.values():
            if watch.route is route:
                watch.route = self._network.home
                self._later(watch.subscription, now)

    # ── how it is done ───────────────────────────────────────────────────────────────────────────────

    def _watch_of(self, stream: str) -> _Watch | None:
        """Whose event this is: the stream's own subscription, or that of the stream of which it is a lane."""
        return self._watches.get(stream) or self._watches.get(whole_of(stream) or "")

    def _later(self, subscription: Subscription, now: float) -> None:
        subscription.retry_at = now + back_off(subscription.attempt, self._host.random())
        subscription.attempt += 1

    def _ask(self, watch: _Watch, now: float) -> None:
        for connection in watch.route.live:
            self._subscribe_on(connection, watch)
        self._network.wake(watch.route, now)

    def _subscribe_on(self, connection: Connection, watch: _Watch) -> None:
        stream = watch.subscription.stream
        if stream in connection.streams:
            # Asked for here before: after a hole, or because the other edges led back here.
            self._leave(connection, stream)
        number = connection.awaited[stream] = self._new_id()
        connection.streams.add(stream)
        self._host.send(connection.number, watch.subscription.request(number))

    def _silence(self, stream: str) -> None:
        for connection in self._network.connections.values():
            connection.awaited.pop(stream, None)
            if stream in connection.streams and connection.phase is Phase.LIVE:
                self._leave(connection, stream)
            connection.streams.discard(stream)

    def _leave(self, connection: Connection, stream: str) -> None:
        asked = {"id": self._new_id(), "op": "unsubscribe", "stream": stream}
        self._host.send(connection.number, asked)

    def _prune(self) -> None:
        """Leave edges that serve nothing any more, once another has taken over."""
        for route in list(self._network.routes):
            needed = any(
                watch.route is route or (watch.served_by is not None and watch.served_by.route is route)
                for watch in self._watches.values()
            )
            if not route.home and not needed:
                self._network.leave(route)
