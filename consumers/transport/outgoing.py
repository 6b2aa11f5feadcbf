"""A viewer's socket as it is written to: when it is full, how long it may stay so, and how it is closed."""

import asyncio

from consumers.protocol import messages as m
from consumers.service.service import Service
from consumers.transport.frames import close_frame, text_frame
from kernel.close_codes import CLOSES, Close, close_label
from kernel.process.metrics import CLOSED


class Outgoing(asyncio.Protocol):
    """What a connection writes to. While `paused` the transport keeps what the socket has not taken."""

    __slots__ = (
        "_gone",
        "_service",
        "_stalled_since",
        "_transport",
        "_unsent",
        "_waiting",
        "paused",
        "socket",
        "write",
    )

    def __init__(self, service: Service, transport: asyncio.Transport) -> None:
        self._service, self._transport = service, transport
        self.write = transport.write
        #: Pages that the socket has not taken yet.
        self._waiting: tuple[asyncio.Future[None], ...] = ()
        self._gone = False
        self._stalled_since = 0.0
        self._unsent = 0
        near = None if transport.get_extra_info("sslcontext") else transport.get_extra_info("socket")
        self.socket: int | None = None if near is None else near.fileno()
        self.paused = self.socket is not None and transport.get_write_buffer_size() > 0

    @property
    def closing(self) -> bool:
        return self._transport.is_closing()

    def send(self, message: m.AnyReply) -> None:
        if self._transport.is_closing():
            return
        self.write(text_frame(m.render(message)))

    def end(self, code: Close) -> None:
        """Close, saying why. Who does not read does not get to hear it."""
        if self._transport.is_closing():
            return
        self.count_close(code)
        self.write(close_frame(code, CLOSES[code]))
        if self.paused:
            self._transport.abort()
        else:
            self.close()

    def close(self) -> None:
        """Nothing follows a close frame: whoever is to be closed is not live any more."""
        self.pause()
        self._transport.close()

    def count_close(self, code: int) -> None:
        CLOSED.labels(close_label(code)).inc()

    # ── a socket that is full ────────────────────────────────────────────────────────────────────────

    def pause(self) -> None:
        self.paused = True
        self._stalled_since = self._service.clock.monotonic()
        self._unsent = self._transport.get_write_buffer_size()

    def watch_stall(self, now: float) -> None:
        """End whoever has taken nothing for too long."""
        unsent = self._transport.get_write_buffer_size()
        if unsent < self._unsent:
            self._unsent, self._stalled_since = unsent, now
        elif now - self._stalled_since >= self._service.edge.slow_timeout_s:
            # Closing already: not even the close frame is taken.
            self._transport.abort() if self._transport.is_closing() else self.end(Close.TOO_SLOW)

    async def taken(self) -> None:
        """Wait until the socket takes more, or is gone."""
        if not self.paused or self._gone:
            return
        self._waiting = (*self._waiting, taken := asyncio.get_running_loop().create_future())
        await taken

    def takes_more(self) -> None:
        """The socket has room again."""
        self.paused = False
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._gone = True
        self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, ()
        for taken in (one for one in waiting if not one.done()):
            taken.set_result(None)
