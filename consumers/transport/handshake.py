"""Where everybody comes in: reads one HTTP request, within limits, and hands the socket on.

`websockets` parses the request and does the handshake; what is not a WebSocket goes to the plain routes.
"""

import asyncio
import secrets
from collections.abc import Callable, Mapping
from typing import Final, cast
from urllib.parse import parse_qsl, urlsplit

from websockets.http11 import Request
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from consumers.protocol.effects import Verify
from consumers.protocol.messages import SUBPROTOCOL, render
from consumers.protocol.session import Guest, Member
from consumers.service.service import Service
from consumers.transport.connection import ViewerConnection
from consumers.transport.frames import close_frame, text_frame
from consumers.transport.http import http_response
from consumers.transport.incoming import WIRE_LOG
from kernel.access.tokens import UnknownKey, shown_token
from kernel.access.users import check_device
from kernel.close_codes import CLOSES, Close, close_label
from kernel.errors import TouchlineError
from kernel.process.metrics import CLOSED

PATH: Final = "/v1/ws"
_END_OF_HEAD: Final = b"\r\n\r\n"


class ParsedRequest(Request):
    """A request, with its path taken apart."""

    def __init__(self, request: Request) -> None:
        super().__init__(request.path, request.headers, request.method, request.protocol)
        parts = urlsplit(request.path)
        self.route = parts.path
        self.pairs: list[tuple[str, str]] = parse_qsl(parts.query, keep_blank_values=True, errors="strict")
        self.query = dict(self.pairs)
        self.device = self.query.get("device", "")

    @property
    def token(self) -> str | None:
        """From `Authorization: Bearer`, or `?token=`."""
        return shown_token(self.headers.get("Authorization"), self.query.get("token"))

    @property
    def user(self) -> str | None:
        """Who it says that it is of: believed where there are no keys."""
        return self.query.get("user")


#: What a request may say once: of two origins or two tokens neither can be believed.
_ONCE: Final = ("Host", "Origin", "Authorization", "Last-Event-ID")
_ONCE_IN_QUERY: Final = ("user", "token", "device")


def asked_by(request: Request) -> ParsedRequest | None:
    """The request, taken apart; None if it cannot be."""
    if any(len(request.headers.get_all(name)) > 1 for name in _ONCE):
        return None
    try:
        asked = ParsedRequest(request)
        check_device(asked.device)
    except (ValueError, TouchlineError):  # an address such as //[, or one whose bytes are no text
        return None
    names = [name for name, _ in asked.pairs]
    return None if any(names.count(name) > 1 for name in _ONCE_IN_QUERY) else asked


#: Takes over the connection after the request was read; returns bytes to send, or None: it has taken over.
Route = Callable[["Handshake", ParsedRequest], bytes | None]


class Handshake(asyncio.Protocol):
    """A connection of which nothing is known yet."""

    __slots__ = (
        "_received",
        "_routes",
        "_tail",
        "_wire",
        "address",
        "secure",
        "service",
        "since",
        "transport",
    )

    def __init__(self, service: Service, routes: Mapping[str, Route], *, secure: bool) -> None:
        self.service, self._routes, self.secure = service, routes, secure
        self.transport: asyncio.Transport
        self.address = ""
        self.since = service.clock.monotonic()
        self._received, self._tail = 0, b""
        self._wire: ServerProtocol | None = None

    # ── from the transport ───────────────────────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's are none, but do the same
        if transport.get_extra_info("sslcontext") is None:
            # Whatever waits in a transport pauses its viewer: so nothing of one who is live does, and the
            # fan-out may write to the socket past it. (With TLS it may not; and zero would pause for ever.)
            self.transport.set_write_buffer_limits(high=0)
        peer = transport.get_extra_info("peername")
        self.address = str(peer[0]) if peer else ""
        if not self.service.admission.connected(self):
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        wire = self._wire
        if wire is None:
            wire = self._wire = ServerProtocol(
                subprotocols=[Subprotocol(SUBPROTOCOL)],
                select_subprotocol=_subprotocol,
                max_size=self.service.edge.max_frame_bytes,
                logger=WIRE_LOG,
            )
        # What follows the head is not the handshake's: frames of a client that did not wait for the answer.
        seen = self._tail + data
        end = seen.find(_END_OF_HEAD)
        cut = len(data) if end < 0 else end + len(_END_OF_HEAD) - len(self._tail)
        self._tail = seen[-len(_END_OF_HEAD) + 1 :]
        self._received += cut
        if self._received > self.service.edge.max_header_bytes:
            self.answer(431, "text/plain", b"The request's head is larger than the limit.\n")
            return
        wire.receive_data(data[:cut])
        events = wire.events_received()
        if events and isinstance(events[0], Request):
            asked = asked_by(events[0])
            if asked is None:
                self.answer(400, "text/plain", b"The request's address or headers cannot be read.\n")
            else:
                self._arrived(asked, wire, data[cut:])
            return
        if wire.handshake_exc is not None:
            about_body = "body" in str(wire.handshake_exc.__cause__)
            self.answer(400, "text/plain", _NO_BODIES if about_body else b"The request cannot be read.\n")

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._wire = None
        self.service.admission.refused(self)

    # ── for the routes ───────────────────────────────────────────────────────────────────────────────

    def answer(self, status: int, content_type: str, body: bytes, **headers: str) -> None:
        """A plain HTTP response; the connection ends with it."""
        self.transport.write(http_response(status, content_type, body, **headers))
        self.transport.close()

    def tick(self, now: float, now_s: float) -> None:  # noqa: ARG002 - connections tick alike
        """A request that does not arrive in time never will."""
        if now - self.since >= self.service.edge.handshake_timeout_s:
            self.transport.abort()

    # ── inside ───────────────────────────────────────────────────────────────────────────────────────

    def _arrived(self, asked: ParsedRequest, wire: ServerProtocol, rest: bytes) -> None:
        self._wire = None
        if not self.service.admission.host_allowed(asked.headers.get("Host")):
            self.answer(403, "text/plain", b"This edge is not called so here: see the setting edge.hosts.\n")
            return
        if asked.route == PATH:
            self._open(asked, wire, rest)
            return
        route = self._routes.get(asked.route)
        if route is None:
            self.answer(404, "text/plain", b"There is nothing here. Viewers connect to /v1/ws.\n")
            return
        try:
            self._answer(route, asked)
        except UnknownKey:
            self.service.tasks.spawn(self._answer_with_new_keys(route, asked))

    def _answer(self, route: Route, asked: ParsedRequest) -> None:
        response = route(self, asked)
        if response is not None:
            self.transport.write(response)
            self.transport.close()

    async def _answer_with_new_keys(self, route: Route, asked: ParsedRequest) -> None:
        await self.service.admission.tokens.fetch_keys()
        if not self.transport.is_closing():
            self._answer(route, asked)  # fetched just now: a key that is still unknown is a refusal

    def _open(self, asked: ParsedRequest, wire: ServerProtocol, rest: bytes) -> None:
        admission = self.service.admission
        if not admission.open:
            text = b"This edge takes no viewers right now: try again in a moment.\n"
            self.answer(503, "text/plain", text, retry_after="1")
            return
        if not admission.origin_allowed(asked.headers.get("Origin")):
            self.answer(403, "text/plain", b"Pages of this origin may not connect here.\n")
            return
        response = wire.accept(asked)
        self.transport.write(response.serialize())
        if response.status_code != 101:
            self.transport.close()
            return
        session_id = secrets.token_urlsafe(12)
        try:
            admission.make_room(self.address)
            session = admission.arrive(session_id, asked.token, asked.user)
        except TouchlineError as error:
            code = _CLOSED_FOR.get(error.code, Close.BAD_TOKEN)
            CLOSED.labels(close_label(code)).inc()
            self.transport.write(close_frame(code, CLOSES[code]))
            self.transport.close()
            return
        viewer = ViewerConnection(
            self.service,
            self.transport,
            session_id=session_id,
            session=session,
            address=self.address,
            device=asked.device,
        )
        welcome = admission.welcome(session_id, session, by_token=asked.token is not None)
        admission.replace(self, viewer)
        if isinstance(session, Member):
            self.service.messenger.came(viewer, session)
        self.transport.set_protocol(viewer)
        viewer.write(text_frame(render(welcome)))
        if rest:
            viewer.data_received(rest)
        if asked.token is not None and isinstance(session, Guest) and admission.tokens.verifiable:
            viewer.perform([Verify(None, asked.token)])


_CLOSED_FOR: Final = {"limit_reached": Close.FULL, "bad_request": Close.FORBIDDEN}
_NO_BODIES: Final = b"An edge reads no bodies of requests: send it without one.\n"


def _subprotocol(_: ServerProtocol, offered: object) -> Subprotocol | None:
    """Ours where it is offered. Who offers none is served too: some clients cannot name one."""
    return Subprotocol(SUBPROTOCOL) if isinstance(offered, list | tuple) and SUBPROTOCOL in offered else None
