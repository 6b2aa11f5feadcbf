"""Server-sent events and long polling, for networks that break WebSockets: the same sessions and cursors.

Both turn the frames that an audience is sent into what they need. That costs more a viewer than a WebSocket,
and is done for few. docs/protocol.md §9.
"""

import asyncio
import math
import socket
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from msgspec import UNSET

from consumers.delivery.subscription import Subscription
from consumers.protocol import messages as m
from consumers.protocol.session import Member
from consumers.service.service import Service
from consumers.transport.frames import payload_of
from consumers.transport.handshake import Asked, Handshake, Route
from consumers.transport.routes import problem
from kernel.codes import CLOSES, Close
from kernel.errors import TouchlineError
from kernel.metrics import CLOSED
from kernel.positions import MAX_SEQ
from kernel.tokens import UnknownKey, parse_stream

_MAX_WAIT_S: Final = 60.0
_MAX_POLL_BYTES: Final = 512 * 1024
_GATHER_S: Final = 0.01
#: A query has no more room; `edge.max_subscriptions` may allow fewer.
_MAX_STREAMS: Final = 32
_EVENT: Final = b'{"op":"event"'
_NEWS: Final = (b'{"op":"redirect"', b'{"op":"error"', b'{"op":"gap"', b'{"op":"drain"')


#: Of the highest seq. A longer number is none, and one of thousands of digits would not even be read.
_DIGITS: Final = len(str(MAX_SEQ))


class _Place(msgspec.Struct):
    stream: str
    seq: int


_place: Final = msgspec.json.Decoder(_Place)


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


def frames_in(data: bytes) -> Iterator[bytes]:
    """The frames of a chunk that was made for WebSockets."""
    at = 0
    while at < len(data):
        length, head = data[at + 1], 2
        if length == 126:
            length, head = int.from_bytes(data[at + 2 : at + 4]), 4
        elif length == 127:
            length, head = int.from_bytes(data[at + 2 : at + 10]), 10
        yield data[at : at + head + length]
        at += head + length


class Fallback(asyncio.Protocol):
    """What both have in common: a session that only hears."""

    socket = None  # frames are taken apart here

    def __init__(self, handshake: Handshake, member: Member) -> None:
        self._service, self._transport = handshake.service, handshake.transport
        self.address, self.session = handshake.address, member
        self.paused = False
        self.cursors: dict[str, int] = {}
        self._since = self._said = self._service.clock.monotonic()

    def begin(self, requests: list[m.Subscribe]) -> None:
        """Watch these streams."""
        # Nothing ever comes from this side: it is gone when it takes nothing in for two heartbeats.
        near = self._transport.get_extra_info("socket")
        if near is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
            silent_ms = 2 * self._service.edge.heartbeat_ms
            near.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, silent_ms)
        watch = self._service.subscriptions.watch
        for request in requests:
            reply = watch(self, self.session, request, parse_stream(request.stream))
            if reply is not None:
                self.send(reply)

    # ── from the transport ───────────────────────────────────────────────────────────────────────────

    def data_received(self, data: bytes) -> None:
        """Nothing is expected from this side any more."""

    def eof_received(self) -> bool:
        return True  # the other half stays open: some clients close theirs after the request

    def pause_writing(self) -> None:
        self.paused = True
        self._since = self._service.clock.monotonic()
        for subscription in self._subscriptions:
            subscription.pause()

    def resume_writing(self) -> None:
        self.paused = False
        for subscription in self._subscriptions:
            subscription.advance(self._service.subscriptions.backfill)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._service.admission.gone(self)
        self._service.subscriptions.leave_all(self.session)

    # ── for subscriptions ────────────────────────────────────────────────────────────────────────────

    @property
    def _subscriptions(self) -> list[Subscription]:
        return list(self.session.streams.values())

    def write(self, data: bytes) -> None:
        for frame in frames_in(data):
            payload = payload_of(frame)
            if payload.startswith(_EVENT):
                place = _place.decode(payload)
                self.cursors[place.stream] = place.seq
                self.event(payload)
            else:
                self.told(payload)

    def send(self, message: m.AnyReply) -> None:
        if isinstance(message, m.Subscribed):
            self.cursors.setdefault(message.stream, message.seq)
            if message.cursors is not UNSET:
                self.cursors = {**message.cursors, **self.cursors}
        self.told(m.render(message))

    def refused(self, subscription: Subscription, error: TouchlineError) -> None:  # noqa: ARG002
        self.send(m.error("unavailable", error.message))
        self.end(Close.UNAVAILABLE)

    def tick(self, now: float, now_s: float) -> None:
        """Time passed: the token's end, a socket that does not drain, a line that says we live."""
        expires_s = self.session.grants.expires_s
        if expires_s is not None and now_s >= expires_s:
            self.end(Close.RENEW_TOKEN)
        elif self.paused and now - self._since >= self._service.edge.slow_timeout_s:
            self.end(Close.TOO_SLOW)
        elif now - self._said >= self._service.edge.heartbeat_ms / 1000:
            self._said = now
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
        raise NotImplementedError

    def told(self, payload: bytes) -> None:
        raise NotImplementedError

    def alive(self) -> None:
        raise NotImplementedError

    def finish(self, code: Close) -> None:
        raise NotImplementedError


class EventSource(Fallback):
    """`GET /v1/sse`: each event with all cursors as its id, which browsers send back as Last-Event-ID."""

    def event(self, payload: bytes) -> None:
        cursors = write_cursors(self.cursors).encode()
        self._transport.write(b"id: %b\ndata: %b\n\n" % (cursors, payload))

    def told(self, payload: bytes) -> None:
        self._transport.write(b"data: %b\n\n" % payload)

    def alive(self) -> None:
        self._transport.write(b":\n\n")

    def finish(self, code: Close) -> None:
        reason = msgspec.json.encode({"code": int(code), "reason": CLOSES[code]})
        self._transport.write(b"event: close\ndata: %b\n\n" % reason)


class Poll(Fallback):
    """`GET /v1/poll`: answers when there is something, or when the time is over."""

    def __init__(self, handshake: Handshake, member: Member, *, head: bytes, wait_s: float) -> None:
        super().__init__(handshake, member)
        self._head = head
        self._events: list[bytes] = []
        self._messages: list[bytes] = []
        self._size = 0
        self._timer = asyncio.get_running_loop().call_later(wait_s, self._answer)

    def event(self, payload: bytes) -> None:
        self._events.append(payload)
        self._size += len(payload)
        if self._size >= _MAX_POLL_BYTES and not self.paused:
            self.pause_writing()  # the rest comes with the next request
        if len(self._events) == 1:
            self._timer.cancel()
            self._timer = asyncio.get_running_loop().call_later(_GATHER_S, self._answer)

    def told(self, payload: bytes) -> None:
        """A stream that is not served here, or cannot be read, is worth an answer of its own."""
        if payload.startswith(_NEWS):
            self._messages.append(payload)
            self._timer.cancel()
            self._timer = asyncio.get_running_loop().call_later(_GATHER_S, self._answer)

    def alive(self) -> None:
        """A poll is short."""

    def finish(self, code: Close) -> None:  # noqa: ARG002 - a poll ends with what it has
        self._write_answer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()
        super().connection_lost(exc)

    def _answer(self) -> None:
        if not self._transport.is_closing():
            self._write_answer()
            self._transport.close()

    def _write_answer(self) -> None:
        self._timer.cancel()
        cursor = msgspec.json.encode(write_cursors(self.cursors))
        body = b'{"events":[%b],"cursor":%b' % (b",".join(self._events), cursor)
        body += b',"messages":[%b]}' % b",".join(self._messages) if self._messages else b"}"
        self._transport.write(self._head + b"Content-Length: %d\r\n\r\n" % len(body) + body)


def fallback_routes(service: Service) -> dict[str, Route]:
    """Path -> what answers there."""
    admission = service.admission

    def open_source(handshake: Handshake, asked: Asked) -> bytes | None:
        return _open(handshake, asked, polling=False)

    def open_poll(handshake: Handshake, asked: Asked) -> bytes | None:
        return _open(handshake, asked, polling=True)

    def _open(handshake: Handshake, asked: Asked, *, polling: bool) -> bytes | None:
        origin = asked.headers.get("Origin")
        if not admission.open:
            return problem(503, "unavailable", "This edge takes no viewers right now.")
        if not admission.origin_allowed(origin):
            return problem(403, "forbidden", "Pages of this origin may not connect here.")
        try:
            admission.make_room(handshake.address)
            grants = admission.tokens.grants_now(asked.token, asked.user)
            requests = _requests(asked, admission.rules.max_subscriptions)
            for request in requests:
                if not grants.allows("subscribe", request.stream):
                    return problem(403, "forbidden", f"Your token does not allow {request.stream}.")
            wait_s = _wait(asked.query.get("wait", "25"))
            member = admission.admit_now(grants)
        except UnknownKey:
            raise
        except TouchlineError as error:
            status = {"unauthorized": 401, "limit_reached": 503}.get(error.code, 400)
            return problem(status, error.code, error.message)
        except ValueError:
            return problem(400, "bad_request", "wait is a number of seconds.")
        head = _head("application/json" if polling else "text/event-stream", origin)
        viewer = (
            Poll(handshake, member, head=head, wait_s=max(wait_s, 0.0))
            if polling
            else EventSource(handshake, member)
        )
        admission.replace(handshake, viewer)
        handshake.transport.set_protocol(viewer)
        if not polling:
            handshake.transport.write(head + b"\r\n")
        viewer.begin(requests)
        return None

    return {"/v1/sse": open_source, "/v1/poll": open_poll}


def _wait(text: str) -> float:
    """For how long a poll waits. Raises ValueError, also for a `nan`: no deadline would ever come."""
    seconds = float(text)
    if math.isnan(seconds):
        raise ValueError(text)
    return min(seconds, _MAX_WAIT_S)


def _requests(asked: Asked, most: int) -> list[m.Subscribe]:
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


def _head(content_type: str, origin: str | None) -> bytes:
    lines = [
        "HTTP/1.1 200 OK",
        f"Content-Type: {content_type}",
        "Cache-Control: no-store",
        "Connection: close",
        "X-Accel-Buffering: no",
    ]
    if origin is not None:
        lines += [f"Access-Control-Allow-Origin: {origin}", "Vary: Origin"]
    return "".join(f"{line}\r\n" for line in lines).encode("latin-1", "replace")
