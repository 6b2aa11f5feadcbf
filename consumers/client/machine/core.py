"""The client's state machine, without I/O: messages and the time come in, calls of the host go out.

The JavaScript client has its twin; both run tests/shared/viewer_cases.json.
Times are milliseconds on a monotonic clock.
"""

from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import Any, Final

import msgspec

from consumers.client.machine.all_rooms import RoomSync
from consumers.client.machine.host import (
    Closed,
    Connecting,
    Gap,
    Host,
    Live,
    Offline,
    Refused,
    Status,
    Waiting,
)
from consumers.client.machine.network import Connection, Network, Phase, Route
from consumers.client.machine.pending import Pending, Request
from consumers.client.machine.streams import Streams
from consumers.client.machine.subscription import Start
from consumers.client.machine.timing import back_off, renew_in
from kernel.close_codes import CLOSES, Close
from kernel.errors import CODES, TouchlineError
from schemas.events import Event

_MOST_TRIES: Final = 5
#: How edges begin an event: it is read without looking at its `op` first.
_EVENT: Final = b'{"op":"event",'
_event: Final = msgspec.json.Decoder(Event)
_message: Final = msgspec.json.Decoder(dict[str, Any])
_Handler = Callable[[Connection, Mapping[str, Any], float], None]
_UNKNOWN: Final = "The connection was lost before Kafka was known to have it: it may have counted, or not."


class Core:
    """Told what happened, and when. Every method may call the host; none waits."""

    def __init__(
        self, urls: Sequence[str], host: Host, *, has_token: bool, request_timeout_ms: float = 30_000
    ) -> None:
        self._host, self._has_token, self._request_timeout_ms = host, has_token, request_timeout_ms
        self._network = Network(urls, host, self)
        self._together = RoomSync(self._network, host, self._new_id)
        self._streams = Streams(self._network, host, self._new_id, self._together.left)
        self._pending = Pending()
        self._authentications: set[int] = set()
        self._last_id = 0
        self._running = False
        self._refusal: TouchlineError | None = None
        self._token: str | None = None
        self._token_asked = False
        self._renew_at = inf
        self._told: Status = Closed()
        self._handlers: Mapping[str, _Handler] = {
            "welcome": self._on_welcome,
            "subscribed": self._on_subscribed,
            "gap": self._on_gap,
            "redirect": self._on_redirect,
            "drain": self._on_drain,
            "error": self._on_error,
            "rejected": lambda _, message, __: host.rejected(message),
            "event": lambda connection, message, _: self._event(connection, msgspec.convert(message, Event)),
        }

    # ── what the host tells ──────────────────────────────────────────────────────────────────────────

    def start(self, now: float) -> None:
        if self._running:
            return
        self._running, self._network.halted = True, False
        self._network.wake(self._network.home, now)
        self.tick(now)

    def stop(self) -> None:
        self._running = False
        self._leave_all()
        self._fail_all(TouchlineError("closed", "The client was closed."))
        self._streams.clear()
        self._together.clear()
        self._notify()

    def closed(self, number: int, code: int, now: float) -> None:
        """A socket has closed with this code, or did not open."""
        self._network.closed(number, code, now)
        self._notify()

    def received(self, number: int, frame: bytes, now: float) -> None:
        """A text frame: messages, one a line. What is no message is left out: a newer edge may say more."""
        connection = self._network.connections.get(number)
        if connection is None:
            return
        connection.heard_at, connection.pong_by = now, None
        # Bytes: text would also be split at U+2028 and its like, which people do write.
        for line in frame.split(b"\n"):
            try:
                if line.startswith(_EVENT):
                    self._event(connection, _event.decode(line))
                elif line:
                    self._message(connection, _message.decode(line), now)
            except (msgspec.DecodeError, KeyError):
                continue  # not JSON, or without what its `op` needs
        self._notify()

    def tick(self, now: float) -> None:
        """Do what is due."""
        self._network.tick(now)
        self._streams.tick(now)
        self._together.tick(now)
        for request in self._pending:
            if request.deadline <= now:
                sentence = "No answer came in time: it may or may not have been done."
                self._fail(request.number, TouchlineError("unavailable", sentence))
            elif request.retry_at is not None and request.retry_at <= now:
                self._send(request)
        if now >= self._renew_at:
            self._want_token()
        self._notify()

    @property
    def deadline(self) -> float:
        """When `tick` is due next; infinity if never."""
        if not self._running:
            return inf
        parts = (self._network, self._pending, self._streams, self._together)
        return min(self._renew_at, *(part.deadline for part in parts))

    def set_online(self, online: bool, now: float) -> None:
        """The machine's network went or came."""
        if online != self._network.online:
            self._network.set_online(online, now)
        self.tick(now)

    def token(self, text: str, now: float) -> None:
        """Here is the token that was wanted."""
        self._token_asked, self._token = False, text
        left = renew_in(text, self._host.wall_ms())
        self._renew_at = inf if left is None else now + left
        for connection in list(self._network.connections.values()):
            if connection.phase is not Phase.OPENING:
                self._authenticate(connection)

    def no_token(self, now: float) -> None:
        """There is no token to be had right now."""
        self._token_asked, self._renew_at = False, inf
        for connection in list(self._network.connections.values()):
            if connection.phase is Phase.AUTHENTICATING:
                self._network.drop(connection, now)
        self._notify()

    # ── what the user asks for ───────────────────────────────────────────────────────────────────────

    def subscribe(self, stream: str, start: Start, now: float) -> None:
        self._streams.subscribe(stream, start, now)
        self._network.tick(now)
        self._notify()

    def unsubscribe(self, stream: str) -> None:
        self._streams.unsubscribe(stream)
        self._notify()

    def pause(self, stream: str) -> None:
        """The reader cannot keep up: no more of this stream until `resume`."""
        self._streams.pause(stream)

    def resume(self, stream: str, now: float) -> None:
        self._streams.resume(stream, now)

    def request(self, message: Mapping[str, Any], stream: str, now: float) -> int:
        """Send a request, now or when there is a connection; `reply` or `fail` follows with this id."""
        if not self._running:
            raise TouchlineError("closed", "The client was closed.")
        if self._refusal is not None:
            raise self._refusal
        if self._pending.full:
            raise TouchlineError("queue_full", "Too many requests wait for their answer.")
        request = Request(self._new_id(), stream, message, now + self._request_timeout_ms)
        self._pending.add(request)
        self._send(request)
        return request.number

    def sync(self) -> None:
        """Follow all rooms of the user; their events come as those of streams that are watched."""
        self._together.sync()

    def inbox(self, limit: int) -> None:
        """The rows of all rooms, and what changes of them; 0: no more."""
        self._together.inbox(limit)

    def ack(self, stream: str, seq: int, now: float) -> None:
        """Tell soon that this device has it."""
        self._together.ack(stream, seq, now)

    def cursor(self, stream: str) -> int | None:
        """The last `seq` that was delivered of a stream."""
        return self._streams.cursor(stream)

    @property
    def status(self) -> Status:
        """How things stand."""
        home = self._network.home
        if self._refusal is not None:
            return Refused(code=self._refusal.code, message=self._refusal.message)
        if not self._running:
            return Closed()
        if any(self._network.believes(connection) for connection in home.live):
            return Live(caught_up=self._streams.caught_up, behind=self._streams.behind)
        if not self._network.online:
            return Offline()
        if home.due_at is not None and not home.connections:
            return Waiting(retry_at=home.due_at)
        return Connecting()

    # ── what the network tells ───────────────────────────────────────────────────────────────────────

    def connection_lost(self, connection: Connection, code: int) -> None:
        """What was asked on a connection that is gone is asked again on what there is."""
        if code == Close.RENEW_TOKEN:
            self._token = None
        for request in self._pending.orphan(connection.number):
            self._fail(request.number, TouchlineError("not_delivered", _UNKNOWN))
        self._streams.lost(connection)
        self._send_orphans()

    def closed_for_good(self, code: int) -> None:
        said = CLOSES.get(Close(code)) if code in CLOSES else None
        error = "unauthorized" if code == Close.BAD_TOKEN else "forbidden"
        self._refuse(error, said or f"The edge refused the connection for good ({code}).")

    def stranded(self, route: Route, now: float) -> None:
        self._streams.stranded(route, now)

    # ── what the edge says ───────────────────────────────────────────────────────────────────────────

    def _event(self, connection: Connection, event: Event) -> None:
        if self._streams.has(event.stream):
            self._streams.event(connection, event)
        else:
            self._together.event(event)

    def _message(self, connection: Connection, message: Mapping[str, Any], now: float) -> None:
        handler = self._handlers.get(message.get("op", ""))
        if handler is not None:
            handler(connection, message, now)
            return
        if self._together.takes(message):
            return
        number = message.get("id")
        if not isinstance(number, int):
            return
        if number in self._authentications:
            self._authentications.discard(number)
            self._go_live(connection, now)
        elif self._pending.get(number) is not None:
            self._pending.remove(number)
            self._host.reply(number, message)

    def _on_welcome(self, connection: Connection, welcome: Mapping[str, Any], now: float) -> None:
        connection.heartbeat_ms = welcome.get("heartbeat_ms", connection.heartbeat_ms)
        connection.jitter_ms = welcome.get("reconnect_jitter_ms", connection.jitter_ms)
        if self._has_token:
            connection.phase = Phase.AUTHENTICATING
            if self._token is None or now >= self._renew_at:
                self._want_token()
            elif not self._token_asked:
                self._authenticate(connection)
        elif welcome.get("auth") == "required":
            self._refuse("unauthorized", "This edge asks for a token, and there is none.")
        else:
            self._go_live(connection, now)

    def _on_subscribed(self, connection: Connection, message: Mapping[str, Any], _: float) -> None:
        self._streams.subscribed(connection, message)
        self._hand_over(connection.route)

    def _on_gap(self, _: Connection, message: Mapping[str, Any], __: float) -> None:
        gap = msgspec.convert(message, Gap)
        if self._streams.has(gap.stream):
            self._streams.gap(gap)
        else:
            self._together.gap(gap)

    def _on_redirect(self, connection: Connection, message: Mapping[str, Any], now: float) -> None:
        stream, after = message["stream"], message.get("after")
        if isinstance(after, int) and not self._streams.has(stream):
            # One of all rooms: it is asked for by itself, and this edge says again where.
            start = Start(self._together.after(stream, after))
            self._streams.subscribe(stream, start, now, follows=True)
            return
        self._streams.redirect(connection, stream, message["url"], now)
        self._network.tick(now)
        self._hand_over(connection.route)

    def _on_drain(self, connection: Connection, message: Mapping[str, Any], now: float) -> None:
        wait = message.get("reconnect_in_ms", self._host.random() * connection.jitter_ms)
        if connection.route.home:
            self._network.drain(connection, wait, now)
        else:
            self._streams.drain(connection.route, now + wait)

    def _on_error(self, connection: Connection, message: Mapping[str, Any], now: float) -> None:
        code, number = str(message.get("code")), message.get("id")
        # A newer edge may have codes that this client does not know.
        error = TouchlineError(code if code in CODES else "bad_request", str(message.get("message")))
        again = message.get("retry") is True
        if not isinstance(number, int):
            self._streams.ended(connection, message.get("stream"), error, now)
        elif number in self._authentications:
            self._authentications.discard(number)
            self._refuse(error.code, error.message)
        elif self._streams.error(connection, number, error, now, again=again):
            self._hand_over(connection.route)
        elif self._together.error(number, error, now, again=again):
            return
        elif (request := self._pending.get(number)) is not None:
            if again and request.attempt < _MOST_TRIES and not _may_count(request, error):
                request.retry_at = now + back_off(request.attempt, self._host.random())
                request.attempt += 1
            else:
                self._fail(number, error)

    # ── how it is done ───────────────────────────────────────────────────────────────────────────────

    def _new_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def _send(self, request: Request) -> None:
        request.retry_at = None
        live = self._streams.route_of(request.stream).live or self._network.home.live
        if live:
            request.connection = live[0].number
            self._host.send(live[0].number, {"id": request.number, **request.message})

    def _want_token(self) -> None:
        self._renew_at = inf
        if not self._token_asked:
            self._token_asked = True
            self._host.want_token()

    def _authenticate(self, connection: Connection) -> None:
        number = self._new_id()
        self._authentications.add(number)
        self._host.send(connection.number, {"id": number, "op": "auth", "token": self._token})

    def _go_live(self, connection: Connection, now: float) -> None:
        if connection.phase is Phase.LIVE:
            return
        connection.phase, connection.live_since = Phase.LIVE, now
        self._streams.live(connection)
        self._together.live(connection)
        self._send_orphans()
        self._hand_over(connection.route)

    def _hand_over(self, route: Route) -> None:
        replaced = self._network.hand_over(route)
        if replaced is not None:
            self.connection_lost(replaced, 0)

    def _send_orphans(self) -> None:
        for request in self._pending:
            if request.connection is None and request.retry_at is None:
                self._send(request)

    def _refuse(self, code: str, message: str) -> None:
        self._refusal = TouchlineError(code, message)
        self._leave_all()
        self._fail_all(self._refusal)

    def _leave_all(self) -> None:
        self._network.halted = True
        for route in list(self._network.routes):
            self._network.leave(route)
        self._renew_at = inf

    def _fail(self, number: int, error: TouchlineError) -> None:
        self._pending.remove(number)
        self._host.fail(number, error)

    def _fail_all(self, error: TouchlineError) -> None:
        for request in self._pending:
            self._fail(request.number, error)

    def _notify(self) -> None:
        status = self.status
        if status != self._told:
            self._told = status
            self._host.status(status)


def _may_count(request: Request, error: TouchlineError) -> bool:
    """Whether what was refused may be on the log all the same, and would count again."""
    return request.counts_each_time and error.code == "unavailable"
