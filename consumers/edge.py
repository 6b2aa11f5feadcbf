"""An edge's process: puts the parts together, takes viewers when the rings are warm, leaves when asked to."""

import asyncio
import contextlib
import resource
import secrets
import ssl
import sys
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any, Final

from consumers.door import Asked, Door, Route, http_response
from consumers.hub import Hub
from consumers.past import History
from consumers.places import OwnCell, Place
from consumers.poster import KafkaPoster
from consumers.reader import Reader
from consumers.records import FanoutRecord, UnreadableRecord, reader
from consumers.registry import Registry
from consumers.service import Service
from kernel.clock import Clock
from kernel.errors import TouchlineError
from kernel.health import Health
from kernel.kafka import client_config, wait_for_kafka
from kernel.logs import get_logger
from kernel.settings import Settings
from kernel.tokens import StaticKeys, Verifier, anonymous_allowed
from kernel.topics import topic_names
from schemas.codec import Codec, Undecodable

_log = get_logger("touchline.edge")
#: How many records of each partition an edge reads back when it starts.
FILL_RECORDS: Final = 20_000


class Edge:
    """One edge."""

    def __init__(self, settings: Settings, *, clock: Clock, history: History) -> None:
        edge = settings.edge
        self._settings, self._clock = settings, clock
        self.name = edge.name or f"{edge.host}:{edge.port}"
        self.health = Health("kafka", "rings")
        self._loop = asyncio.get_running_loop()
        self._failed: asyncio.Future[None] = self._loop.create_future()
        names = topic_names(settings)
        self._topics = [names.fanout_live, names.fanout_location]
        self._places = OwnCell(names)
        self._registry = Registry()
        self._hub = Hub(_decoder(), ring_events=edge.ring_events, ring_bytes=edge.ring_bytes)
        self._poster = KafkaPoster(settings, self._loop)
        auth, loopback = settings.auth, _is_loopback(edge.host)
        keyed = bool(auth.secret or auth.public_key or auth.jwks_url)
        self.service = Service(
            settings,
            name=self.name,
            cell=edge.cell or self.name,
            hub=self._hub,
            history=history,
            verifier=Verifier(auth, StaticKeys(auth), clock) if keyed else None,
            anonymous=anonymous_allowed(auth, on_loopback=loopback),
            on_loopback=loopback,
            poster=self._poster,
            counts=_LocalCounts(self._hub),
            where=self._places,
            cursors=_Forgetful(),
            registry=self._registry,
            clock=clock,
            new_id=lambda: secrets.token_urlsafe(12),
        )
        self._reader: Reader | None = None
        self._server: asyncio.Server | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set. Raises what makes going on impossible."""
        _raise_file_limit()
        await self._listen()
        sweep = self._loop.create_task(self.service.sweep())
        try:
            await wait_for_kafka(self._settings)
            self.health.ok("kafka")
            self._read()
            stopped: asyncio.Future[Any] = self._loop.create_task(stop.wait())
            await asyncio.wait([stopped, self._failed, sweep], return_when=asyncio.FIRST_COMPLETED)
            if self._failed.done():
                self._failed.result()
        finally:
            sweep.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sweep
            await self._close()

    async def _listen(self) -> None:
        edge = self._settings.edge
        context = _tls(self._settings)
        routes = self._routes()
        try:
            self._server = await self._loop.create_server(
                lambda: Door(self.service, routes, secure=context is not None),
                edge.host,
                edge.port,
                backlog=4096,
                ssl=context,
            )
        except OSError as error:
            raise TouchlineError(
                "port_taken",
                f"Cannot listen on {edge.host}:{edge.port} ({error.strerror}).",
                hint="Stop the program that listens there, or set TOUCHLINE_EDGE_PORT.",
            ) from error

    def _read(self) -> None:
        edge = self._settings.edge
        config = client_config(
            self._settings,
            group_id=f"touchline-edge-{self.name}".replace(":", "-"),
            client_id=self.name,
            enable_auto_commit=False,
            fetch_wait_max_ms=100,
            fetch_error_backoff_ms=50,
            queued_max_messages_kbytes=16_384,
        )
        self._reader = Reader(
            config,
            self._topics,
            fill=FILL_RECORDS,
            tick_s=edge.tick_ms / 1000,
            take=self._hub.take,
            on_start=self._started,
            on_filled=self._filled,
            on_trouble=self._trouble,
            on_failure=self._fail,
            loop=self._loop,
            clock=self._clock,
        )
        self._reader.start()

    def _started(self, places: set[Place], whole: set[Place]) -> None:
        self._hub.whole = whole
        self._places.assigned(places, whole)

    def _filled(self) -> None:
        self.health.ok("rings")
        self.service.open = True
        _log.info("edge is ready", edge=self.name, cell=self.service.cell)

    def _trouble(self, why: str | None) -> None:
        if why is None:
            self.health.ok("kafka")
        else:
            self.health.fail("kafka", why)

    def _fail(self, error: Exception) -> None:
        if not self._failed.done():
            self._failed.set_exception(error)

    async def _close(self) -> None:
        self.service.open = False
        if self._server is not None:
            self._server.close()
        if self._reader is not None:
            self._reader.stop()
            await asyncio.to_thread(self._reader.join)
        await self.service.close()
        await self._poster.close()

    # ── plain HTTP ───────────────────────────────────────────────────────────────────────────────────

    def _routes(self) -> Mapping[str, Route]:
        return {"/healthz": self._healthz, "/readyz": self._readyz, "/metrics": self._metrics}

    def _healthz(self, door: Door, asked: Asked) -> bytes:  # noqa: ARG002
        return http_response(200, "application/json", b'{"status":"ok"}')

    def _readyz(self, door: Door, asked: Asked) -> bytes:  # noqa: ARG002
        import json  # noqa: PLC0415

        ready = self.health.ready
        body = json.dumps({"ready": ready, "problems": self.health.problems}).encode()
        return http_response(200 if ready else 503, "application/json", body)

    def _metrics(self, door: Door, asked: Asked) -> bytes:  # noqa: ARG002
        from prometheus_client import CONTENT_TYPE_LATEST, generate_latest  # noqa: PLC0415

        return http_response(200, CONTENT_TYPE_LATEST, generate_latest())


class _LocalCounts:
    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def viewers(self, stream: str) -> int:
        return sum(n for (name, _), n in self._hub.viewers().items() if name == stream)


class _Forgetful:
    def remember(self, user: str, device: str, stream: str, seq: int) -> None:
        pass


def _decoder() -> Any:
    codec = Codec("fanout")

    def slow(value: bytes) -> FanoutRecord:
        try:
            record = codec.decode(value)
        except Undecodable as error:
            raise UnreadableRecord(error.message) from error
        return FanoutRecord(record["stream"], record["seq"], record["server_ts"], record["body"])

    return reader(codec.schema_id, slow)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _tls(settings: Settings) -> ssl.SSLContext | None:
    edge = settings.edge
    if not edge.tls_cert:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(edge.tls_cert, edge.tls_key or None)
    except (OSError, ssl.SSLError) as error:
        raise TouchlineError(
            "bad_setting", f"TOUCHLINE_EDGE_TLS_CERT and _KEY cannot be read ({error})."
        ) from error
    return context


def _raise_file_limit() -> None:
    """A viewer is a file descriptor."""
    if sys.platform != "win32":
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
