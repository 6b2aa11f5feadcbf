"""The canary: which channel it watches at an edge, and what it tells of its probes."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from aiohttp import ClientSession, ClientTimeout, web
from prometheus_client import REGISTRY
from websockets.asyncio.server import ServerConnection, serve

from embedded.ports import find_free
from gateway.operators.canary import CHANNELS, Canary
from kernel.clock import SystemClock
from kernel.settings.reading import load_settings

#: Of a cell: it sends the first two channels elsewhere.
ELSEWHERE = 2


class Partner:
    """An edge and a gateway in a few lines: what is posted is at once at the edge, and found."""

    def __init__(self) -> None:
        self.watching: list[tuple[ServerConnection, str]] = []
        self.posted: list[str] = []
        self.channels: set[str] = set()
        self.tokens: set[str] = set()

    async def edge(self, wire: ServerConnection) -> None:
        await wire.send('{"op":"welcome"}')
        async for asked in wire:
            stream = json.loads(asked)["stream"]
            channel = stream.partition(":")[2]
            if CHANNELS.index(channel) < ELSEWHERE:
                await wire.send(json.dumps({"op": "redirect", "id": 1, "url": "ws://another"}))
            else:
                # Two messages in one frame, as edges write them.
                await wire.send(json.dumps({"op": "subscribed", "id": 1}) + '\n{"op":"presence"}')
                self.watching.append((wire, channel))

    async def post(self, request: web.Request) -> web.Response:
        event, channel = await request.json(), request.match_info["channel"]
        self.posted.append(event["key"])
        self.channels.add(channel)
        self.tokens.add(request.headers["Authorization"])
        for wire, watched in self.watching:
            if watched == channel:
                await wire.send(json.dumps({"op": "event", "key": event["key"], "data": {}}))
        return web.json_response({}, status=202)

    async def search(self, request: web.Request) -> web.Response:
        return web.json_response({"hits": [{"event": {"key": key}} for key in self.posted[-20:]]})


def sample(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_it_watches_what_an_edge_serves_and_tells_what_arrives_and_what_does_not() -> None:
    partner, door, served, nobody = Partner(), find_free(), find_free(), find_free()
    app = web.Application()
    app.add_routes(
        [
            web.post("/v1/streams/broadcast/{channel}/events", partner.post),
            web.get("/v1/search", partner.search),
        ]
    )
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", door).start()
    edge, away = f"ws://127.0.0.1:{served}/v1/ws", f"ws://127.0.0.1:{nobody}/v1/ws"
    settings = load_settings(
        {
            "TOUCHLINE_GATEWAY_PORT": str(door),
            "TOUCHLINE_GATEWAY_CANARY_EVERY_S": "0.1",
            "TOUCHLINE_GATEWAY_CANARY_EDGES": f"{edge},{away}",
            "TOUCHLINE_AUTH_SECRET": "a-secret-of-thirty-two-bytes-or-more",
        }
    )
    found = sample("touchline_canary_found_seconds_count")
    async with (
        serve(partner.edge, "127.0.0.1", served),
        ClientSession(timeout=ClientTimeout(total=60)) as http,
    ):
        canary = asyncio.create_task(Canary(settings, SystemClock(), http).run())
        try:
            await until(lambda: sample("touchline_canary_seen_seconds_count", edge=edge) >= 3)
            await until(lambda: sample("touchline_canary_found_seconds_count") >= found + 3)
            await until(lambda: sample("touchline_canary_missed_total", where=away) >= 1)
        finally:
            canary.cancel()
            await asyncio.gather(canary, return_exceptions=True)
    await runner.cleanup()
    assert partner.channels <= {CHANNELS[0], CHANNELS[ELSEWHERE]}
    assert all(token.startswith("Bearer ") for token in partner.tokens)
    assert sample("touchline_canary_missed_total", where=edge) == 0
    assert sample("touchline_canary_seen_seconds_count", edge=away) == 0
