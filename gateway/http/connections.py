"""The gateway's connections: how many there may be, from where, and for how long each may keep it waiting.

aiohttp waits for ever for a head, and for a client that takes nothing of its answer, and takes any number.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Final, cast

from aiohttp import web

from gateway.http.problems import Handler
from kernel.clock import Clock
from kernel.fairness.fair import WHOSE
from kernel.settings.sections import Gateway

_SWEEP_S: Final = 1.0
#: Between two requests of a connection; aiohttp itself keeps one for a little less.
_IDLE_S: Final = 90.0


class Guarded(asyncio.Protocol):
    """One connection: it stands before aiohttp's, and notes when what happened."""

    def __init__(self, owner: "Connections", inner: asyncio.Protocol) -> None:
        self._owner, self._inner = owner, inner
        self.address = ""
        self.transport: asyncio.Transport | None = None
        #: Requests that are being answered.
        self.busy = 0
        self._idle_since = owner.now()
        self._head_since: float | None = self._idle_since  # a new connection has to say something
        self._stalled_since: float | None = None
        self._unsent = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        self.address = str(peer[0]) if peer else ""
        self._inner.connection_made(transport)
        if not self._owner.add(self):
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        if not self.busy and self._head_since is None:
            self._head_since = self._owner.now()
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._owner.remove(self)
        self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        self._stalled_since = self._owner.now()
        self._unsent = self.transport.get_write_buffer_size() if self.transport else 0
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._stalled_since = None
        self._inner.resume_writing()

    def begun(self) -> None:
        """A head has arrived whole."""
        self.busy += 1
        self._head_since = None

    def ended(self) -> None:
        """Its answer is written."""
        self.busy -= 1
        self._idle_since = self._owner.now()

    def overdue(self, now: float, settings: Gateway) -> bool:
        """Whether it has kept the gateway waiting for too long."""
        if self._stalled_since is not None and self.transport is not None:
            unsent = self.transport.get_write_buffer_size()
            if unsent < self._unsent:
                self._unsent, self._stalled_since = unsent, now
            elif now - self._stalled_since >= settings.slow_timeout_s:
                return True
        if self.busy:
            return False
        if self._head_since is not None and now - self._head_since >= settings.head_timeout_s:
            return True
        return now - self._idle_since >= _IDLE_S


class Connections:
    """All of them."""

    def __init__(self, settings: Gateway, clock: Clock) -> None:
        self._settings, self._clock = settings, clock
        self._all: dict[asyncio.Transport, Guarded] = {}
        self._addresses: Counter[str] = Counter()

    def guarding(self, server: Callable[[], asyncio.Protocol]) -> Callable[[], asyncio.Protocol]:
        """What makes guarded connections of a server's."""
        return lambda: Guarded(self, server())

    def now(self) -> float:
        return self._clock.monotonic()

    def add(self, connection: Guarded) -> bool:
        """Whether there is room for it."""
        assert connection.transport is not None  # noqa: S101 - it has just been made
        self._all[connection.transport] = connection
        self._addresses[connection.address] += 1
        return (
            len(self._all) <= self._settings.max_connections
            and self._addresses[connection.address] <= self._settings.max_connections_per_address
        )

    def remove(self, connection: Guarded) -> None:
        if connection.transport is None or self._all.pop(connection.transport, None) is None:
            return
        self._addresses[connection.address] -= 1
        if not self._addresses[connection.address]:
            del self._addresses[connection.address]

    async def sweep(self) -> None:
        """Close those that are overdue, once a second."""
        while True:
            await asyncio.sleep(_SWEEP_S)
            now = self.now()
            for transport, connection in list(self._all.items()):
                if connection.overdue(now, self._settings):
                    transport.abort()

    @web.middleware
    async def noting(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Notes when a request begins and when it has been answered."""
        WHOSE.set(f"\0{request.remote}")  # until it is known whose it is
        connection = self._all.get(request.transport) if request.transport is not None else None
        if connection is None:
            return await handler(request)
        connection.begun()
        try:
            return await handler(request)
        finally:
            connection.ended()
