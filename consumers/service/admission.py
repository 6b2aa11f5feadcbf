"""Who may come in and stay: connections and their limits, sessions, the welcome, and revoked tokens."""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection
from typing import Any, Final, Protocol

import msgspec

from consumers.protocol import messages as m
from consumers.protocol.session import Guest, Member, Rules, Session
from consumers.service.tokens import Tokens
from kernel.access.hosts import host_allowed
from kernel.access.tokens import Grants, UnknownKey
from kernel.clock import Clock
from kernel.close_codes import Close
from kernel.errors import TouchlineError
from kernel.process.logs import get_logger
from kernel.process.metrics import VIEWERS
from kernel.settings.reading import Edge

_log = get_logger("touchline.edge")
#: Sockets beyond the limit that are still told why they are refused.
SPARE_CONNECTIONS: Final = 64
#: Connections that are ticked before others get a turn of the event loop.
_TICKED_AT_ONCE: Final = 1000


class Connected(Protocol):
    """A socket's owner."""

    @property
    def address(self) -> str: ...

    def tick(self, now: float, now_s: float) -> None: ...


class Viewer(Connected, Protocol):
    """A socket's owner of whom a session is known, by whatever transport."""

    @property
    def session(self) -> Session: ...

    @property
    def paused(self) -> bool: ...

    def send(self, message: m.AnyReply) -> None: ...

    def end(self, code: Close) -> None: ...


class Admission:
    """The connections of an edge, and who is behind them."""

    def __init__(
        self,
        edge: Edge,
        tokens: Tokens,
        *,
        name: str,
        cell: str,
        on_loopback: bool,
        clock: Clock,
        pages: Collection[str] = (),
        elsewhere: Callable[[Grants], int] = lambda _: 0,
    ) -> None:
        """`pages` are the origins that the gateway's own pages have on loopback; `elsewhere` says how many
        connections a user has at other edges."""
        self._edge, self.tokens, self._clock, self._elsewhere = edge, tokens, clock, elsewhere
        self.name, self.cell, self._on_loopback = name, cell, on_loopback
        self._origins = edge.origins or (tuple(pages) if on_loopback else ())
        self.rules = Rules(
            heartbeat_s=edge.heartbeat_ms / 1000,
            auth_timeout_s=edge.handshake_timeout_s,
            max_messages_per_s=edge.max_messages_per_s,
            max_subscriptions=edge.max_subscriptions,
        )
        self._limits = m.Limits(
            max_frame_bytes=edge.max_frame_bytes,
            max_messages_per_s=edge.max_messages_per_s,
            max_subscriptions=edge.max_subscriptions,
        )
        #: Whether viewers are let in; an edge that starts or leaves lets in none.
        self.open = False
        self.users: Counter[str] = Counter()
        self._addresses: Counter[str] = Counter()
        self._arriving: dict[Connected, None] = {}
        self._viewers: dict[Viewer, None] = {}

    # ── connections ──────────────────────────────────────────────────────────────────────────────────

    def connected(self, connection: Connected) -> bool:
        """A socket was opened; False: there are too many even to say so."""
        self._arriving[connection] = None
        self._addresses[connection.address] += 1
        return self._number <= self._edge.max_connections + SPARE_CONNECTIONS

    def replace(self, old: Connected, viewer: Viewer) -> None:
        """The handshake is over: the socket is this viewer's."""
        del self._arriving[old]
        self._viewers[viewer] = None
        VIEWERS.inc()

    def refused(self, connection: Connected) -> None:
        """A socket is closed that has not become a viewer's."""
        if connection in self._arriving:
            del self._arriving[connection]
            self._free(connection.address)

    def gone(self, viewer: Viewer) -> None:
        """A viewer's socket is closed."""
        if viewer not in self._viewers:
            return
        del self._viewers[viewer]
        VIEWERS.dec()
        self._free(viewer.address)
        if isinstance(viewer.session, Member):
            user = viewer.session.user
            self.users[user] -= 1
            if self.users[user] <= 0:
                del self.users[user]

    def connections(self) -> list[Connected]:
        """All sockets' owners."""
        return [*self._arriving, *self._viewers]

    def viewers(self) -> list[Viewer]:
        """Those of viewers, whatever they came by."""
        return list(self._viewers)

    def make_room(self, address: str) -> None:
        """Raises TouchlineError `limit_reached` where one viewer more would be too many."""
        if self._number > self._edge.max_connections:
            raise TouchlineError("limit_reached", "This edge is full.")
        if self._addresses[address] > self._edge.max_connections_per_address:
            raise TouchlineError("limit_reached", "There are too many connections from this address.")

    def origin_allowed(self, origin: str | None) -> bool:
        """Whether a page of this origin may connect. Programs that are no browsers send none."""
        return origin is None or self._origins == ("*",) or origin in self._origins

    def host_allowed(self, host: str | None) -> bool:
        """Whether a request may call this edge so."""
        return host_allowed(host, self._edge.hosts, on_loopback=self._on_loopback)

    async def sweep(self, every_s: float = 1.0) -> None:
        """Let all connections see that time passes."""
        while True:
            await asyncio.sleep(every_s)
            now, now_s = self._clock.monotonic(), self._clock.now_ms() / 1000
            for number, connection in enumerate(self.connections(), 1):
                try:
                    connection.tick(now, now_s)
                except Exception:  # of one connection: the others go on
                    _log.exception("a connection could not be looked at")
                if number % _TICKED_AT_ONCE == 0:
                    await asyncio.sleep(0)

    @property
    def _number(self) -> int:
        return len(self._arriving) + len(self._viewers)

    def _free(self, address: str) -> None:
        self._addresses[address] -= 1
        if self._addresses[address] <= 0:
            del self._addresses[address]

    # ── sessions ─────────────────────────────────────────────────────────────────────────────────────

    def arrive(self, session_id: str, token: str | None, name: str | None = None) -> Session:
        """The session of somebody who has just connected. Raises TouchlineError for a bad token or name."""
        guest = Guest(self.rules, self._clock.monotonic())
        if token is not None and self.tokens.verifiable:
            try:
                return self.admit(guest, self.tokens.verify(token))
            except UnknownKey:
                if not self.tokens.fetchable:
                    raise
                return guest  # the keys have to be fetched first: as if the token had come by `auth`
        if self.tokens.anonymous:
            return self.admit(guest, self.tokens.without(name, session_id))
        return guest

    def admit(self, guest: Guest, grants: Grants) -> Member:
        """Raises TouchlineError `limit_reached` where the user has too many connections."""
        here, most = self.users[grants.user], self._edge.max_connections_per_user
        if here >= most or here + self._elsewhere(grants) >= most:
            raise TouchlineError("limit_reached", "This user has too many connections.")
        self.users[grants.user] += 1
        return guest.admit(grants, self._clock.monotonic())

    def admit_now(self, grants: Grants) -> Member:
        """The session of somebody whose request showed all that is needed. Raises as `admit` does."""
        return self.admit(Guest(self.rules, self._clock.monotonic()), grants)

    def welcome(self, session_id: str, session: Session, *, by_token: bool) -> m.Welcome:
        """The first message of a connection."""
        auth: Any = "required" if isinstance(session, Guest) else "ok" if by_token else "anonymous"
        return m.Welcome(
            session=session_id,
            edge=self.name,
            cell=self.cell,
            heartbeat_ms=self._edge.heartbeat_ms,
            reconnect_jitter_ms=self._edge.reconnect_jitter_ms,
            auth=auth,
            limits=self._limits,
            user=session.user if isinstance(session, Member) else msgspec.UNSET,
        )

    def revoke(self, user: str) -> None:
        """Tokens of this user were revoked: who is here by one of them has to go."""
        for viewer in self.viewers():
            session = viewer.session
            if not isinstance(session, Member) or session.user != user:
                continue
            if self.tokens.revocations.covers(session.grants):
                viewer.end(Close.BAD_TOKEN)
