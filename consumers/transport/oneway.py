"""What server-sent events and long polling share: a session that only listens, over one HTTP response.

For networks that break WebSockets: the same sessions and cursors, each event brought as its payload. That
costs more a viewer than a WebSocket, and is done for few. docs/protocol.md §9.
"""

import asyncio
import math
import socket
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import UNSET

from consumers.delivery.events import Events
from consumers.delivery.subscription import Subscription
from consumers.protocol import messages as m
from consumers.protocol.session import Member
from consumers.service.service import Service
from consumers.transport.handshake import Handshake, ParsedRequest
from consumers.transport.http import problem
from control.rooms.state import is_room
from kernel.access.tokens import UnknownKey, parse_stream
from kernel.close_codes import Close
from kernel.errors import TouchlineError
from kernel.log.positions import MAX_SEQ, Stream
from kernel.process.metrics import CLOSED

_MAX_WAIT_S: Final = 60.0
#: A query has no more room; `edge.max_subscriptions` may allow fewer.
_MAX_STREAMS: Final = 32
#: Of the highest seq. A longer number is none, and one of thousands of digits would not even be read.
_DIGITS: Final = len(str(MAX_SEQ))


def read_cursors(text: str) -> dict[str, int]:
    """`chat:a=812,broadcast:a=900` -> cursors by stream. Raises TouchlineError."""
    cursors: dict[str, int] = {}
    for part in filter(None, text.split(",")):
        stream, _, seq = part.rpartition("=")
        if not (seq.isascii() and seq.isdigit() and len(seq) <= _DIGITS and int(seq) <= MAX_SEQ):
            raise TouchlineError("bad_request", "A cursor is a list of stream=seq with commas between.")
        cursors[str(parse_stream(stream))] = int(seq)
    return cursors


def write_cursors(cursors: dict[str, int]) -> str:
    """The other way round."""
    return ",".join(f"{stream}={seq}" for stream, seq in cursors.items())


class OneWay(asyncio.Protocol):
    """A viewer from whom nothing comes any more after the request."""

    outlet = None  # it is brought each event

    def __init__(self, handshake: Handshake, member: Member) -> None:
        self._service, self._transport = handshake.service, handshake.transport
        self.address, self.session = handshake.address, member
        self.paused = False
        self.cursors: dict[str, int] = {}
        self._paused_at = self._alive_at = self._service.clock.monotonic()

    def begin(self, requests: list[m.Subscribe]) -> None:
        """Watch these streams."""
        # Nothing ever comes from this side: it is gone when it takes nothing in for two heartbeats.
        near = self._transport.get_extra_info("socket")
        if near is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
            silent_ms = 2 * self._service.edge.heartbeat_ms
            near.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, silent_ms)
        subscriptions = self._service.subscriptions
        for request in requests:
            stream = parse_stream(request.stream)
            if is_room(stream):
                self._service.tasks.spawn(self._watch_room(request, stream))
            elif (reply := subscriptions.watch(self, self.session, request, stream)) is not None:
                self.send(reply)

    async def _watch_room(self, request: m.Subscribe, stream: Stream) -> None:
        gone = self._transport.is_closing
        reply = await self._service.subscriptions.watch_room(
            *(self, self.session, request, stream), gone=gone
        )
        if reply is not None and not gone():
            self.send(reply)

    # ── from the transport ───────────────────────────────────────────────────────────────────────────

    def data_received(self, data: bytes) -> None:
        """Nothing is expected from this side any more."""

    def eof_received(self) -> bool:
        return True  # the other half stays open: some clients close theirs after the request

    def pause_writing(self) -> None:
        self.paused = True
        self._paused_at = self._service.clock.monotonic()
        for subscription in self._subscriptions:
            subscription.pause()

    def resume_writing(self) -> None:
        self.paused = False
        for subscription in self._subscriptions:
            subscription.advance(self._service.subscriptions.backfill)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._service.admission.gone(self)
        self._service.subscriptions.leave_all(self.session)

    # ── for subscriptions (it is their Holder) ───────────────────────────────────────────────────────

    @property
    def _subscriptions(self) -> list[Subscription]:
        return list(self.session.streams.values())

    def deliver(self, stream: str, events: Events) -> None:
        for seq, payload in events.payloads():
            self.cursors[stream] = seq
            self.event(payload)

    def send(self, message: m.AnyReply) -> None:
        if isinstance(message, m.Subscribed):
            self.cursors.setdefault(message.stream, message.seq)
            if message.cursors is not UNSET:
                self.cursors = {**message.cursors, **self.cursors}
        self.message(_op(message), m.render(message))

    def refused(self, subscription: Subscription, error: TouchlineError) -> None:  # noqa: ARG002
        self.send(m.error("unavailable", error.message))
        self.end(Close.UNAVAILABLE)

    def tick(self, now: float, now_s: float) -> None:
        """Time passed: the token's end, a socket that does not drain, a line that says we live."""
        if self.session.expired(now_s):
            self.end(Close.RENEW_TOKEN)
        elif self.paused and now - self._paused_at >= self._service.edge.slow_timeout_s:
            self.end(Close.TOO_SLOW)
        elif now - self._alive_at >= self._service.edge.heartbeat_ms / 1000:
            self._alive_at = now
            self.alive()

    def end(self, code: Close) -> None:
        """Finish; the client comes back with its cursors."""
        if self._transport.is_closing():
            return
        CLOSED.labels(str(int(code))).inc()
        self.finish(code)
        if self.paused:
            self._transport.abort()
        else:
            self._transport.close()

    # ── what the two do differently ──────────────────────────────────────────────────────────────────

    def event(self, payload: bytes) -> None:
        """An event came; its cursor is noted."""
        raise NotImplementedError

    def message(self, op: str, payload: bytes) -> None:
        """Something else is said."""
        raise NotImplementedError

    def alive(self) -> None:
        """Nothing was said for a heartbeat."""
        raise NotImplementedError

    def finish(self, code: Close) -> None:
        """Write the last words."""
        raise NotImplementedError


class Arrived(NamedTuple):
    """Somebody who may watch all that was asked for."""

    member: Member
    requests: list[m.Subscribe]
    #: For how long a poll waits.
    wait_s: float


def arrive(service: Service, handshake: Handshake, asked: ParsedRequest) -> Arrived | bytes:
    """Who asks, and for what; or the response that refuses it. Raises UnknownKey: the key may be fetched."""
    admission = service.admission
    if not admission.open:
        return problem(503, "unavailable", "This edge takes no viewers right now.")
    if not admission.origin_allowed(asked.headers.get("Origin")):
        return problem(403, "forbidden", "Pages of this origin may not connect here.")
    try:
        admission.make_room(handshake.address)
        grants = admission.tokens.grants_now(asked.token, asked.user)
        requests = _requests(asked, admission.rules.max_subscriptions)
        for request in requests:
            if not grants.allows("subscribe", request.stream):
                return problem(403, "forbidden", f"Your token does not allow {request.stream}.")
        wait_s = _wait(asked.query.get("wait", "25"))
        return Arrived(admission.admit_now(grants), requests, wait_s)
    except UnknownKey:
        raise
    except TouchlineError as error:
        status = {"unauthorized": 401, "limit_reached": 503}.get(error.code, 400)
        return problem(status, error.code, error.message)


def _requests(asked: ParsedRequest, most: int) -> list[m.Subscribe]:
    """The subscriptions that a query asks for: each `stream`, from the cursors on, or `after`, or `last`."""
    text = asked.headers.get("Last-Event-ID") or asked.query.get("cursor", "")
    cursors = read_cursors(text)
    streams = dict.fromkeys(value for name, value in asked.pairs if name == "stream")
    most = min(most, _MAX_STREAMS)
    if not 1 <= len(streams) <= most:
        raise TouchlineError("bad_request", f"Name 1 to {most} streams: ?stream=chat:final&stream=…")
    made = []
    for stream in streams:
        fields = {"op": "subscribe", "stream": str(parse_stream(stream))}
        given: dict[str, Any] = {n: asked.query[n] for n in ("after", "last") if n in asked.query}
        if stream in cursors:
            given = {"after": str(cursors[stream])}
        lanes = {name: seq for name, seq in cursors.items() if name.startswith(f"{stream}~")}
        asked_for: dict[str, Any] = {**fields, **given, "cursors": lanes or None}
        try:
            request = msgspec.convert(asked_for, m.Subscribe, strict=False)
        except msgspec.ValidationError as error:
            raise TouchlineError("bad_request", f"{error}.") from None
        made.append(request)
    return made


def _wait(text: str) -> float:
    """Raises TouchlineError, also for a `nan`: no deadline would ever come."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if math.isnan(seconds):
        raise TouchlineError("bad_request", "wait is a number of seconds.")
    return min(max(seconds, 0.0), _MAX_WAIT_S)


def _op(message: m.AnyReply) -> str:
    return str(message.__struct_config__.tag)
