"""An edge's process: puts the parts together, takes viewers when the rings are warm, leaves when asked to."""

import asyncio
import contextlib
import resource
import secrets
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from consumers.cluster.assignment import Assign, all_of, share_of
from consumers.cluster.cursors import MAX_A_FLUSH, CursorBook
from consumers.cluster.departure import depart
from consumers.cluster.partitions import Partition, ServedPartitions
from consumers.cluster.presence import BEAT_S, Presence
from consumers.cluster.reader import Reader
from consumers.cluster.registry import Registry
from consumers.delivery.backfill import History
from consumers.delivery.broadcast import WRITE_MODE
from consumers.delivery.hub import Hub, Raw
from consumers.delivery.records import FanoutRecord, UnreadableRecord, reader
from consumers.protocol.messages import Rejected
from consumers.service.poster import KafkaPoster
from consumers.service.service import Service
from consumers.transport.fallbacks import fallback_routes
from consumers.transport.handshake import PATH, Handshake
from consumers.transport.routes import plain_routes
from consumers.transport.tls import FAREWELL_S, tls_context
from control.retention import Retention
from control.revocations import PREFIX
from control.tables import Tables
from kernel.clock import Clock
from kernel.errors import TouchlineError
from kernel.first_write import PRODUCER
from kernel.health import Health
from kernel.jwks import JwksKeys
from kernel.kafka import client_config, wait_for_kafka
from kernel.logs import get_logger
from kernel.metrics import DELIVERED, EDGE_LATENCY, RING_BYTES, SLOW_VIEWERS
from kernel.positions import OVERVIEW_SHARD, Kind, Shard
from kernel.settings import Settings
from kernel.tokens import StaticKeys, Verifier, anonymous_allowed, is_loopback
from kernel.topics import topic_names
from schemas.codec import Undecodable
from schemas.registry import codec_for

_log = get_logger("touchline.edge")
#: How many records of each partition an edge reads back when it starts.
FILL_RECORDS: Final = 20_000
#: Of locations only what somebody watches is kept, and nobody does yet; but the log may lag so far behind.
LOCATION_FILL: Final = 2_000
#: The operators' figures of ten minutes.
OVERVIEW_FILL: Final = 600


class Edge:
    """One edge."""

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock,
        history: History,
        retention: Retention,
        leave: Callable[[], None] | None = None,
    ) -> None:
        edge = settings.edge
        self._settings, self._clock = settings, clock
        self.name = edge.name or f"{edge.host}:{edge.port}"
        self.health = Health("kafka", "rings", "tables", PRODUCER)
        self._loop = asyncio.get_running_loop()
        self._failed: asyncio.Future[None] = self._loop.create_future()
        names = self._names = topic_names(settings)
        self._registry = Registry(codec_for(settings, "channel"), retention)
        self._hub = Hub(
            _decoder(settings),
            ring_events=edge.ring_events,
            ring_bytes=edge.ring_bytes,
            selective=names.fanout_location,
        )
        self._poster = KafkaPoster(settings, self._loop)
        cell = edge.cell or self.name
        url = edge.public_url or f"{'wss' if edge.tls_cert else 'ws'}://{edge.host}:{edge.port}{PATH}"
        self._presence = Presence(
            edge=self.name,
            cell=cell,
            url=url,
            hub=self._hub,
            clock=clock,
            codec=codec_for(settings, "presence"),
        )
        self._served = ServedPartitions(names, self._presence.owner)
        write = partial(self._poster.post_soon, names.cursors)
        self._cursors = CursorBook(clock, codec_for(settings, "cursor"), write)
        self._rejection, self._control = codec_for(settings, "rejection"), codec_for(settings, "control")
        self._leave_all = leave  # of processes that share the port: asks for all of them to leave
        #: Whether partitions came or went since the last look at who has to move.
        self._changed = False
        self._recovery: asyncio.Task[None] | None = None
        auth, loopback = settings.auth, is_loopback(edge.host)
        static = StaticKeys(auth)
        jwks = JwksKeys(auth.jwks_url, static, clock) if auth.jwks_url else None
        keyed = bool(auth.secret or auth.public_key or auth.jwks_url)
        self.service = Service(
            settings,
            name=self.name,
            cell=cell,
            hub=self._hub,
            history=history,
            verifier=Verifier(auth, jwks or static, clock) if keyed else None,
            jwks=jwks,
            anonymous=anonymous_allowed(auth, on_loopback=loopback),
            on_loopback=loopback,
            poster=self._poster,
            counts=self._presence,
            where=self._served,
            cursors=self._cursors,
            registry=self._registry,
            clock=clock,
            new_id=lambda: secrets.token_urlsafe(12),
        )
        self._readers: list[Reader] = []
        self._tables: Tables | None = None
        self._server: asyncio.Server | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set; a request to drain sets it. Raises what makes going on impossible."""
        _raise_file_limit()
        await self._listen(stop)
        chores = [
            self._loop.create_task(work)
            for work in (self.service.sweep(), self._beat(), self._flush_cursors())
        ]
        asked: asyncio.Future[Any] = self._loop.create_task(stop.wait())
        writing = self._loop.create_task(self._poster.first_write(self.health))
        try:
            waiting = self._loop.create_task(wait_for_kafka(self._settings))
            await asyncio.wait([waiting, asked], return_when=asyncio.FIRST_COMPLETED)
            if waiting.done():
                self.health.ok("kafka")
                self._read()
                await asyncio.wait([asked, self._failed, *chores], return_when=asyncio.FIRST_COMPLETED)
                for ended in (self._failed, *chores):
                    if ended.done():
                        ended.result()
                self._presence.leaving = True
                await depart(self.service, self.health, seconds=self._settings.edge.drain_s)
            waiting.cancel()
        finally:
            for task in (asked, writing, *chores):
                task.cancel()
            await asyncio.gather(asked, writing, *chores, return_exceptions=True)
            await self._close()

    async def _listen(self, stop: asyncio.Event) -> None:
        edge = self._settings.edge
        context = tls_context(self._settings.edge)
        plain = plain_routes(self.service, self.health, self._leave_all or stop.set)
        routes = {**plain, **fallback_routes(self.service)}
        try:
            self._server = await self._loop.create_server(
                lambda: Handshake(self.service, routes, secure=context is not None),
                edge.host,
                edge.port,
                backlog=4096,
                ssl=context,
                ssl_handshake_timeout=edge.handshake_timeout_s if context else None,
                ssl_shutdown_timeout=FAREWELL_S if context else None,
                reuse_port=self._leave_all is not None or None,
            )
        except OSError as error:
            raise TouchlineError(
                "port_taken",
                f"Cannot listen on {edge.host}:{edge.port} ({error.strerror}).",
                hint="Stop the program that listens there, or set TOUCHLINE_EDGE_PORT.",
            ) from error

    def _read(self) -> None:
        edge, names = self._settings.edge, self._names
        if edge.cell:
            group = {
                "group_protocol": "consumer",
                "enable_auto_commit": True,
                "auto_commit_interval_ms": 1000,
            }
            self._start(
                share_of(names.fanout_live, FILL_RECORDS), group_id=f"touchline-cell-{edge.cell}", **group
            )
            self._start(all_of({names.fanout_location: LOCATION_FILL, names.ops: OVERVIEW_FILL}))
        else:
            fanout = dict.fromkeys((names.fanout_live, names.fanout_location), FILL_RECORDS)
            self._start(all_of({**fanout, names.ops: OVERVIEW_FILL}))
        self._tables = Tables(
            client_config(
                self._settings,
                group_id=f"touchline-edge-tables-{self.name}".replace(":", "-"),
                enable_auto_commit=False,
            ),
            whole=[self._names.channels, self._names.presence, self._names.control],
            tails=[self._names.rejected],
            learn=self._learn,
            on_read=self._tables_read,
            loop=self._loop,
        )
        self._tables.start()

    def _start(self, assign: Assign, **properties: Any) -> None:
        config = {
            "group_id": f"touchline-edge-{self.name}".replace(":", "-"),
            "client_id": self.name,
            "enable_auto_commit": False,
            "fetch_wait_max_ms": 100,
            "fetch_error_backoff_ms": 50,
            "queued_max_messages_kbytes": 16_384,
            **properties,
        }
        reader = Reader(
            client_config(self._settings, **config),
            assign,
            tick_s=self._settings.edge.tick_ms / 1000,
            heard=self,
            loop=self._loop,
            clock=self._clock,
        )
        self._readers.append(reader)
        reader.start()

    # ── from the tables ──────────────────────────────────────────────────────────────────────────────

    def _learn(self, topic: str, key: str, value: bytes | None) -> None:
        if topic == self._names.presence:
            self._presence.learn(key, value)
        elif topic == self._names.channels:
            self._registry.learn_record(key, value)
            self.service.widen(key)
            self.service.recheck(key)
        elif topic == self._names.control:
            self._handle_command(key, value)
        elif value is not None:
            self._handle_rejection(value)

    def _handle_command(self, key: str, value: bytes | None) -> None:
        if value is None or not key.startswith(PREFIX):
            return
        with contextlib.suppress(Undecodable):
            user = self.service.revocations.learn(key, self._control.decode(value)["arguments"])
            if user is not None:
                self.service.revoke(user)

    def _handle_rejection(self, value: bytes) -> None:
        try:
            said = self._rejection.decode(value)
            kind = next((k for k, name in self._names.ingest.items() if name == said["topic"]), None)
            if kind is None or not (said["sender"] and said["key"] and said["record_key"]):
                return
            stream = f"{kind}:{said['record_key'].decode()}"
        except (Undecodable, UnicodeDecodeError):
            return
        message = Rejected(stream=stream, key=said["key"], code=said["reason"], message=said["message"])
        self.service.rejected(said["sender"], message)

    def _tables_read(self) -> None:
        self.health.ok("tables")
        self._open()

    # ── chores ───────────────────────────────────────────────────────────────────────────────────────

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            if self.service.open or self._presence.leaving:
                self._beat_now()
                self._presence.push()
                RING_BYTES.set(self._hub.bytes)
                SLOW_VIEWERS.set(sum(1 for viewer in self.service.viewers() if viewer.paused))
                if self._changed:
                    self._changed = self.service.move(self._serves, self._elsewhere) > 0

    def _beat_now(self) -> None:
        self._publish(self._names.presence, self.name, self._presence.heartbeat(self._served.partitions()))

    def _serves(self, kind: Kind, shard: Shard) -> bool:
        return self._served.serves(kind, shard.key)

    def _elsewhere(self, shard: Shard) -> str | None:
        return self._served.elsewhere(shard.key)

    async def _flush_cursors(self) -> None:
        while True:
            await asyncio.sleep(1)
            self._cursors.flush(MAX_A_FLUSH)

    def _publish(self, topic: str, key: str, value: bytes | None) -> None:
        """Write without waiting; the next word replaces one that is lost."""
        with contextlib.suppress(TouchlineError):
            self._poster.post_soon(topic, key, value)

    # ── from the readers (it is what they are heard by) ──────────────────────────────────────────────

    def take(self, topic: str, records: list[Raw]) -> None:
        deliveries = self._hub.take(topic, records)
        if deliveries and topic != self._names.ops:  # figures do not count themselves
            DELIVERED.inc(deliveries)
            EDGE_LATENCY.observe(max(0, self._clock.now_ms() - self._hub.server_ts) / 1000)

    def assigned(self, places: set[Partition], whole: set[Partition], counts: dict[str, int]) -> None:
        self._served.total = counts.get(self._names.fanout_live, self._served.total)
        self._served.assigned(places, whole)
        self._hub.whole |= whole
        self._settle()

    def filled(self, place: Partition) -> None:
        self._served.filled(place)
        self._settle()

    def _settle(self) -> None:
        if self._served.settled:
            self._changed = True
            self.health.ok("rings")
            self._open()
            self._beat_now()

    def revoked(self, places: set[Partition]) -> None:
        self._served.revoked(places)
        self._hub.whole -= places
        self._changed = True
        self._beat_now()
        # From here on these rings miss what comes. Their viewers wait where they are, and are sent on.
        self.service.suspend(self._serves)
        kept = OVERVIEW_SHARD.key.encode()
        self._hub.drop(lambda key: key != kept and not self._served.serves(Kind.CHAT, key.decode()))

    def trouble(self, why: str) -> None:
        self.health.fail("kafka", why)
        if self._recovery is None or self._recovery.done():
            self._recovery = self._loop.create_task(self._recover())

    async def _recover(self) -> None:
        """Kafka was away. The readers go on by themselves; this sees that it answers again."""
        await wait_for_kafka(self._settings)
        self.health.ok("kafka")

    def failed(self, error: Exception) -> None:
        if not self._failed.done():
            self._failed.set_exception(error)

    def _open(self) -> None:
        """Viewers are taken when everything that they need is here."""
        if self.health.ready and not self.service.open:
            self.service.open = True
            _log.info("edge is ready", edge=self.name, cell=self.service.cell, writes=WRITE_MODE)

    async def _close(self) -> None:
        self.service.open = False
        if self._recovery is not None:
            self._recovery.cancel()
        if self._server is not None:
            self._server.close()
        threads = [thread for thread in (*self._readers, self._tables) if thread is not None]
        for thread in threads:
            thread.stop()
        for thread in threads:
            await asyncio.to_thread(thread.join)
        if threads:
            self._publish(self._names.presence, self.name, None)
            self._cursors.flush()
        await self.service.close()
        await self._poster.close()


def _decoder(settings: Settings) -> Any:
    codec = codec_for(settings, "fanout")

    def slow(value: bytes) -> FanoutRecord:
        try:
            record = codec.decode(value)
        except Undecodable as error:
            raise UnreadableRecord(error.message) from error
        return FanoutRecord(record["stream"], record["seq"], record["server_ts"], record["body"])

    return reader(codec.schema_id, slow)


def _raise_file_limit() -> None:
    """A viewer is a file descriptor."""
    if sys.platform != "win32":
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
