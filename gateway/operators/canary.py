"""The canary: a probe event every few seconds, looked for at every edge and in the index. Off by default.

It goes the way of everybody's events: posted by HTTP, watched over WebSocket, searched for. An edge of a cell
serves some channels only: for each edge the first of a few is taken that it does not send elsewhere.
"""

import asyncio
import json
import secrets
from collections import defaultdict
from collections.abc import Sequence
from contextlib import aclosing
from typing import Any, Final

from aiohttp import ClientError, ClientSession, ClientTimeout
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

from consumers.protocol.messages import SUBPROTOCOL
from gateway.context import Context
from gateway.http.operations import Operation
from gateway.pages.pages import edge_urls
from kernel.access.tokens import sign
from kernel.clock import Clock
from kernel.errors import TouchlineError
from kernel.process.logs import get_logger
from kernel.process.metrics import CANARY_FOUND, CANARY_MISSED, CANARY_SEEN
from kernel.settings.reading import Settings

_log = get_logger("touchline.canary")
USER: Final = "canary"
#: Each is a channel; with so many every edge of a cell of eight has one, nearly surely.
CHANNELS: Final = tuple(f"canary-{number}" for number in range(32))
#: What has not come by then is missed.
SEEN_S: Final = 10.0
FOUND_S: Final = 30.0
_LOOK_S: Final = 0.5
_AGAIN_S: Final = 2.0
_TOKEN_S: Final = 3600.0


class Canary:
    """Posts, and waits for what was posted."""

    def __init__(self, settings: Settings, clock: Clock, http: ClientSession) -> None:
        gateway = settings.gateway
        self._settings, self._clock, self._http = settings, clock, http
        self._url = f"http://127.0.0.1:{gateway.port}"
        self._edges: Sequence[str] = gateway.canary_edges or edge_urls(settings, "127.0.0.1")
        #: Channel -> edges that have it under watch.
        self._watched: defaultdict[str, set[str]] = defaultdict(set)
        #: (key, edge or empty for the index) -> done when it was seen there.
        self._awaited: dict[tuple[str, str], asyncio.Future[None]] = {}
        self._token, self._token_ends = "", 0.0

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            for edge in self._edges:
                group.create_task(self._watch(edge))
            while True:
                await asyncio.sleep(self._settings.gateway.canary_every_s)
                for channel in [c for c, edges in self._watched.items() if edges] or CHANNELS[:1]:
                    group.create_task(self._probe(channel))

    # ── one probe ────────────────────────────────────────────────────────────────────────────────────

    async def _probe(self, channel: str) -> None:
        key, begun = secrets.token_hex(8), self._clock.monotonic()
        edges = set(self._watched[channel])
        seen = {edge: self._expect(key, edge) for edge in edges}
        try:
            if not await self._post(channel, key):
                CANARY_MISSED.labels("posting").inc()
                return
            async with asyncio.TaskGroup() as group:
                group.create_task(self._find(channel, key, begun))
                for edge, future in seen.items():
                    group.create_task(self._see(edge, future, begun))
        finally:
            for edge in edges:
                self._awaited.pop((key, edge), None)

    def _expect(self, key: str, edge: str) -> "asyncio.Future[None]":
        return self._awaited.setdefault((key, edge), asyncio.get_running_loop().create_future())

    async def _see(self, edge: str, seen: "asyncio.Future[None]", begun: float) -> None:
        try:
            async with asyncio.timeout(SEEN_S):
                await seen
        except TimeoutError:
            self._missed(edge)
        else:
            CANARY_SEEN.labels(edge).observe(self._clock.monotonic() - begun)

    async def _find(self, channel: str, key: str, begun: float) -> None:
        while self._clock.monotonic() - begun < FOUND_S:
            if key in await self._newest(channel):
                CANARY_FOUND.observe(self._clock.monotonic() - begun)
                return
            await asyncio.sleep(_LOOK_S)
        self._missed("search")

    def _missed(self, what: str) -> None:
        _log.warning("a probe was missed", where=what)
        CANARY_MISSED.labels(what).inc()

    # ── over HTTP ────────────────────────────────────────────────────────────────────────────────────

    async def _post(self, channel: str, key: str) -> bool:
        body = {"type": "probe", "key": key, "data": {}}
        url = f"{self._url}/v1/streams/broadcast/{channel}/events"
        try:
            async with self._http.post(url, json=body, headers=self._headers()) as answer:
                return answer.status < 300
        except (ClientError, TimeoutError):
            return False

    async def _newest(self, channel: str) -> set[str]:
        asked = {"kind": "broadcast", "channel": channel, "sort": "newest", "limit": "20"}
        try:
            url = f"{self._url}/v1/search"
            async with self._http.get(url, params=asked, headers=self._headers()) as answer:
                hits = (await answer.json(content_type=None))["hits"] if answer.status == 200 else []
        except (ClientError, TimeoutError, ValueError):
            return set()
        return {hit["event"].get("key", "") for hit in hits}

    def _headers(self) -> dict[str, str]:
        """A token, where tokens are asked for: anew before it runs out."""
        secret, now_s = self._settings.auth.secret, self._clock.now_ms() / 1000
        if not secret:
            return {}
        if now_s > self._token_ends - _TOKEN_S / 2:
            self._token_ends = now_s + _TOKEN_S
            streams = tuple(f"broadcast:{channel}" for channel in CHANNELS)
            grants = dict.fromkeys(("publish", "subscribe", "history", "search"), streams)
            self._token = sign(USER, grants, expires_s=self._token_ends, issued_s=now_s, key=secret)
        return {"Authorization": f"Bearer {self._token}"}

    # ── over WebSocket ───────────────────────────────────────────────────────────────────────────────

    async def _watch(self, edge: str) -> None:
        """Watch at an edge for good; while it cannot be reached, that counts as missed each time."""
        while True:
            try:
                async with connect(
                    edge,
                    subprotocols=[Subprotocol(SUBPROTOCOL)],
                    additional_headers=self._headers(),
                    compression=None,
                ) as wire:
                    await self._follow(edge, wire)
            except (OSError, TimeoutError, ValueError, WebSocketException) as error:
                _log.warning("an edge cannot be watched", edge=edge, reason=str(error))
                self._missed(edge)
            await asyncio.sleep(max(_AGAIN_S, self._settings.gateway.canary_every_s))

    async def _follow(self, edge: str, wire: ClientConnection) -> None:
        tried, channel = iter(CHANNELS), ""
        try:
            async with aclosing(_messages(wire)) as messages:
                async for message in messages:
                    match message["op"]:
                        case "welcome" | "redirect":  # or it has just handed the channel to another
                            self._watched[channel].discard(edge)
                            channel = next(tried)
                            said = {"op": "subscribe", "id": 1, "stream": f"broadcast:{channel}"}
                            await wire.send(json.dumps(said))
                        case "subscribed":
                            self._watched[channel].add(edge)
                        case "event":
                            future = self._awaited.get((message.get("key", ""), edge))
                            if future is not None and not future.done():
                                future.set_result(None)
                        case "error" | "drain" | "gap":
                            return
        except StopIteration:
            _log.warning("an edge serves none of the canary's channels", edge=edge)
        finally:
            self._watched[channel].discard(edge)


async def _messages(wire: ClientConnection) -> Any:
    async for frame in wire:
        for line in str(frame).splitlines():
            yield json.loads(line)


async def routes(context: Context) -> Sequence[Operation]:
    """None; it only runs beside the others, where the setting asks for it."""
    settings = context.settings
    if settings.gateway.canary_every_s:
        auth = settings.auth
        if not auth.secret and (auth.public_key or auth.jwks_url):
            raise TouchlineError(
                "bad_setting",
                "The canary needs a token, and only TOUCHLINE_AUTH_SECRET can make one here.",
                hint="Set it beside the keys, or TOUCHLINE_GATEWAY_CANARY_EVERY_S to 0.",
            )
        http = await context.stack.enter_async_context(ClientSession(timeout=ClientTimeout(total=SEEN_S)))
        task = asyncio.create_task(Canary(settings, context.clock, http).run())
        context.stack.callback(task.cancel)
    return ()
