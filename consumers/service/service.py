"""What an edge does for viewers, whatever they are connected by: watch, publish, read the past, count.

Connections hold the wire; this holds what they share.
"""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final
from weakref import ref

import msgspec

from consumers.cluster.registry import Registry
from consumers.delivery.backfill import Backfill, History
from consumers.delivery.hub import Hub
from consumers.delivery.subscription import Holder, Subscription
from consumers.protocol import messages as m
from consumers.protocol.session import Guest, Member, Rules
from consumers.service.ports import Connected, Counts, Cursors, Map, Poster, Sender
from control.revocations import Revocations
from history.changes import check_change, is_change
from kernel.clock import Clock
from kernel.codes import RETRY, Close
from kernel.errors import TouchlineError
from kernel.jwks import JwksKeys
from kernel.logs import get_logger
from kernel.metrics import VIEWERS
from kernel.positions import OVERVIEW, Kind, Shard, Stream, split_lane
from kernel.settings import Settings
from kernel.tokens import Grants, UnknownKey, Verifier, everything

_log = get_logger("touchline.edge")
#: Requests of one viewer that may be under way at once (publishing, reading the past).
MAX_UNDER_WAY: Final = 32


_NOBODY: Final = object()
#: Sockets beyond the limit that are still told why they are refused.
SPARE_CONNECTIONS: Final = 64
MAX_POSTED: Final = 50_000


class Service:
    """The shared parts of an edge, and the operations on them."""

    def __init__(
        self,
        settings: Settings,
        *,
        name: str,
        cell: str,
        hub: Hub,
        history: History,
        verifier: Verifier | None,
        jwks: JwksKeys | None,
        anonymous: bool,
        on_loopback: bool,
        poster: Poster,
        counts: Counts,
        where: Map,
        cursors: Cursors,
        registry: Registry,
        clock: Clock,
        new_id: Callable[[], str],
    ) -> None:
        edge = settings.edge
        self.settings, self.edge, self.name, self.cell = settings, edge, name, cell
        self.hub, self.backfill, self.history = hub, Backfill(history), history
        self.verifier, self._jwks = verifier, jwks
        self.anonymous, self._on_loopback = anonymous, on_loopback
        self.poster, self.counts, self.where, self.registry = poster, counts, where, registry
        self.cursors, self.clock, self._new_id = cursors, clock, new_id
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
        self.revocations = Revocations()
        #: Whether viewers are taken; an edge that starts or leaves takes none.
        self.open = False
        self.users: Counter[str] = Counter()
        self._addresses: Counter[str] = Counter()
        self.connections: dict[Connected, None] = {}
        #: Who posted what lately, if he is still here: a refusal that comes later finds him.
        self._posted: OrderedDict[tuple[str, str, str], ref[Sender]] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()

    # ── connections ──────────────────────────────────────────────────────────────────────────────────

    def connected(self, connection: Connected) -> bool:
        """A socket was opened; False: there are too many even to say so."""
        self.connections[connection] = None
        self._addresses[connection.address] += 1
        return len(self.connections) <= self.edge.max_connections + SPARE_CONNECTIONS

    def replace(self, old: Connected, new: Connected) -> None:
        """The socket has another owner now."""
        del self.connections[old]
        self.connections[new] = None
        VIEWERS.inc()

    def disconnected(self, connection: Connected) -> None:
        """The socket is closed."""
        if self.connections.pop(connection, _NOBODY) is _NOBODY:
            return
        self._addresses[connection.address] -= 1
        if self._addresses[connection.address] <= 0:
            del self._addresses[connection.address]
        session = getattr(connection, "session", None)
        if session is not None:
            VIEWERS.dec()
            self.gone(session)

    def viewers(self) -> list[Any]:
        """The connections of viewers, whatever they came by."""
        return [c for c in self.connections if getattr(c, "session", None) is not None]

    def make_room(self, address: str) -> None:
        """Raises TouchlineError `limit_reached` where one viewer more would be too many."""
        if len(self.connections) > self.edge.max_connections:
            raise TouchlineError("limit_reached", "This edge is full.")
        if self._addresses[address] > self.edge.max_connections_per_address:
            raise TouchlineError("limit_reached", "There are too many connections from this address.")

    def origin_allowed(self, origin: str | None) -> bool:
        """Whether a page of this origin may connect. Programs that are no browsers send none."""
        if origin is None or self.edge.origins == ("*",):
            return True
        return origin in self.edge.origins if self.edge.origins else self._on_loopback

    async def sweep(self, every_s: float = 1.0) -> None:
        """Let all connections see that time passes, a thousand a turn."""
        while True:
            await asyncio.sleep(every_s)
            now, now_s = self.clock.monotonic(), self.clock.now_ms() / 1000
            for number, connection in enumerate(list(self.connections)):
                connection.tick(now, now_s)
                if number % 1000 == 999:
                    await asyncio.sleep(0)

    # ── who ──────────────────────────────────────────────────────────────────────────────────────────

    async def grants(self, token: str) -> Grants:
        """What a token allows. Raises TouchlineError `unauthorized`."""
        try:
            return self._verify(token)
        except UnknownKey:
            if self._jwks is None or not await self._jwks.refresh():
                raise
            return self._verify(token)

    async def fetch_keys(self) -> None:
        """Look whether the issuer has new keys."""
        if self._jwks is not None:
            await self._jwks.refresh()

    def _verify(self, token: str) -> Grants:
        if self.verifier is None:
            raise TouchlineError("unauthorized", "No keys are set here: tokens cannot be verified.")
        grants = self.verifier.grants(token)
        if self.revocations.covers(grants):
            raise TouchlineError("unauthorized", "The token was revoked: get a new one.")
        return grants

    def revoke(self, user: str) -> None:
        """Tokens of this user were revoked: who is here by one of them has to go."""
        for viewer in self.viewers():
            session = viewer.session
            if isinstance(session, Guest):
                continue
            if session.user == user and self.revocations.covers(session.grants):
                viewer.end(Close.BAD_TOKEN)

    def grants_now(self, token: str | None) -> Grants:
        """What a request over plain HTTP may do. Raises TouchlineError `unauthorized`; UnknownKey where
        `fetch_keys` may bring the key."""
        if token is not None and self.verifier is not None:
            try:
                return self._verify(token)
            except UnknownKey as error:
                if self._jwks is not None and self._jwks.due:
                    raise
                raise TouchlineError(error.code, error.message) from None
        if self.anonymous:
            return everything(f"guest-{self._new_id()[:8]}")
        raise TouchlineError("unauthorized", "A token is needed: Authorization: Bearer …, or ?token=.")

    def arrive(self, session: str, token: str | None) -> Guest | Member:
        """The session of somebody who has just connected. Raises TouchlineError for a bad token."""
        guest = Guest(self.rules, self.clock.monotonic())
        if token is not None and self.verifier is not None:
            try:
                return self.admit(guest, self._verify(token))
            except UnknownKey:
                if self._jwks is None:
                    raise
                return guest  # the keys have to be fetched first: he waits as if he had sent `auth`
        if self.anonymous:
            return self.admit(guest, everything(f"guest-{session[:8]}"))
        return guest

    def admit(self, guest: Guest, grants: Grants) -> Member:
        """Raises TouchlineError `limit_reached` where the user has too many connections."""
        if self.users[grants.user] >= self.edge.max_connections_per_user:
            raise TouchlineError("limit_reached", "This user has too many connections.")
        self.users[grants.user] += 1
        return guest.admit(grants, self.clock.monotonic())

    def gone(self, session: Guest | Member) -> None:
        """A connection has ended: all that it held is given back."""
        if isinstance(session, Member):
            for subscription in session.streams.values():
                subscription.close()
                self.hub.leave(subscription.audience)
            session.streams.clear()
            self.users[session.user] -= 1
            if self.users[session.user] <= 0:
                del self.users[session.user]

    def welcome(self, session: str, state: Guest | Member, *, by_token: bool) -> m.Welcome:
        """The first message of a connection."""
        auth: Any = "required" if isinstance(state, Guest) else "ok" if by_token else "anonymous"
        return m.Welcome(
            session=session,
            edge=self.name,
            cell=self.cell,
            heartbeat_ms=self.edge.heartbeat_ms,
            reconnect_jitter_ms=self.edge.reconnect_jitter_ms,
            auth=auth,
            limits=self._limits,
            user=state.user if isinstance(state, Member) else msgspec.UNSET,
        )

    # ── what ─────────────────────────────────────────────────────────────────────────────────────────

    def watch(
        self, holder: Holder, member: Member, request: m.Subscribe, stream: Stream
    ) -> m.AnyReply | None:
        """Begin a subscription; a reply only where it cannot begin here."""
        if not self.registry.readers.allow(member.grants, stream.channel):
            return _not_a_reader(request.id, request.stream)
        shard = self.registry.shard(stream.channel, member.user)
        if not self.where.serves(stream.kind, shard.key):
            url = self.where.elsewhere(shard.key)
            if url is None:
                return m.error(
                    "unavailable", "The edges are changing places: try again.", request_id=request.id
                )
            return m.Redirect(id=request.id, stream=request.stream, url=url)
        lanes = self.registry.layout(stream.channel).lanes
        audience = self.hub.audience(stream, shard, lanes, partial(self.where.whole, stream.kind))
        subscription = Subscription(holder, audience, request)
        member.streams[request.stream] = subscription
        subscription.advance(self.backfill)
        return None

    def oversee(self, holder: Holder, member: Member, request: m.Subscribe) -> None:
        """Begin a subscription to the operators' figures: every edge has them, and no channel's settings."""
        subscription = Subscription(holder, self.hub.overview(), request)
        member.streams[request.stream] = subscription
        subscription.advance(self.backfill)

    def recheck(self, channel: str) -> None:
        """The channel's settings have changed: who may not read it any more has heard the last of it."""
        for viewer, name, _ in self._subscriptions():
            stream = Stream.parse(name)
            if split_lane(stream.channel)[0] == channel and not self.registry.readers.allow(
                viewer.session.grants, stream.channel
            ):
                self.leave(viewer.session, name)
                viewer.send(_not_a_reader(None, name))

    def suspend(self, serves: Callable[[Kind, Shard], bool]) -> None:
        """Partitions are gone: whoever hears their streams has a position now, and waits."""
        for _, name, subscription in self._subscriptions():
            if not serves(Stream.parse(name).kind, subscription.audience.shard):
                subscription.pause()
                for feed in subscription.audience.feeds:
                    self.hub.reset(feed)

    def move(self, serves: Callable[[Kind, Shard], bool], elsewhere: Callable[[Shard], str | None]) -> int:
        """Send those whose streams are served elsewhere now there. Returns how many still have to wait."""
        waiting = 0
        for viewer, name, subscription in self._subscriptions():
            if serves(Stream.parse(name).kind, subscription.audience.shard):
                subscription.advance(self.backfill)
            elif (url := elsewhere(subscription.audience.shard)) is None:
                waiting += 1
            else:
                self.leave(viewer.session, name)
                viewer.send(m.Redirect(stream=name, url=url))
        return waiting

    def widen(self, channel: str) -> None:
        """The channel may have more lanes now: whoever watches it already gets them too."""
        lanes = self.registry.layout(channel).lanes
        narrow = [a for a in self.hub.audiences() if a.shard.channel == channel and len(a.feeds) <= lanes]
        if not narrow:
            return
        moved = [s for _, _, s in self._subscriptions() if s.audience in narrow]
        for subscription in moved:
            subscription.pause()
        for audience in narrow:
            stream = Stream.parse(audience.name)
            self.hub.audience(stream, audience.shard, lanes, partial(self.where.whole, stream.kind))
        for subscription in moved:
            subscription.advance(self.backfill)

    def _subscriptions(self) -> list[tuple[Any, str, Subscription]]:
        """All of channels' streams: the operators' figures neither move nor have readers."""
        members = [v for v in self.viewers() if isinstance(v.session, Member)]
        every = [(v, name, subscription) for v in members for name, subscription in v.session.streams.items()]
        return [one for one in every if one[1] != OVERVIEW]

    def leave(self, member: Member, stream: str) -> None:
        """End a subscription."""
        subscription: Subscription | None = member.streams.pop(stream, None)
        if subscription is not None:
            subscription.close()
            self.hub.leave(subscription.audience)

    async def publish(
        self, request: m.Publish, stream: Stream, sender: str, connection: Sender, *, admin: bool
    ) -> m.AnyReply:
        """Post an event; the reply comes when Kafka has it."""
        key = request.key or self._new_id()
        if not admin and is_change(stream, request.type):
            try:
                await check_change(self.history, stream, request.data.get("target"), sender)
            except TouchlineError as error:
                return _refusal(error, request.id)
        self._posted[sender, request.stream, key] = ref(connection)
        if len(self._posted) > MAX_POSTED:
            self._posted.popitem(last=False)
        try:
            await self.poster.post(
                *(stream,),
                event_type=request.type,
                key=key,
                sender=sender,
                data=request.data,
                shared=not admin,
            )
        except TouchlineError as error:
            return _refusal(error, request.id)
        return m.Published(id=request.id, stream=request.stream, key=key)

    def rejected(self, sender: str, message: m.Rejected) -> None:
        """A posted event was refused later on: say so to whom it was posted by, if he is here."""
        posted = self._posted.pop((sender, message.stream, str(message.key)), None)
        if posted is not None and (connection := posted()) is not None:
            connection.send(message)

    async def read_past(self, request: m.History, stream: Stream, grants: Grants) -> m.AnyReply:
        """A page of history, complete up to the head."""
        if not self.registry.readers.allow(grants, stream.channel):
            return _not_a_reader(request.id, request.stream)
        try:
            page = await self.history.read(
                stream, after=request.after, before=request.before, limit=request.limit
            )
        except TouchlineError as error:
            return _refusal(error, request.id)
        events = [msgspec.Raw(body) for body in page.events]
        return m.HistoryReply(id=request.id, stream=request.stream, events=events, more=page.more)

    # ── work that takes its time ─────────────────────────────────────────────────────────────────────

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something for a viewer; bounded by what each viewer may have under way."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)

        def finished(ended: asyncio.Task[None]) -> None:
            self._tasks.discard(ended)
            if not ended.cancelled() and (error := ended.exception()) is not None:
                _log.error("a viewer's request failed", error=repr(error))

        task.add_done_callback(finished)

    async def close(self) -> None:
        """Stop everything that is under way."""
        await self.backfill.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _not_a_reader(request_id: int | None, stream: str) -> m.Error:
    said = f"The channel's settings do not let you read {stream}."
    return m.error("forbidden", said, request_id=request_id, stream=None if request_id else stream)


def _refusal(error: TouchlineError, request_id: int | None) -> m.Error:
    """An error as the viewer protocol says it: codes of other parts become the nearest of its own."""
    nearest = {"not_delivered": "unavailable", "queue_full": "unavailable", "invalid_event": "bad_request"}
    code = nearest.get(error.code, error.code)
    return m.error(code if code in RETRY else "unavailable", error.message, request_id=request_id)
