"""Feeds and webhooks: a page of a hundred channels, posts a second to one receiver, and how late they are.

    python -m bench.feeds

It runs a worker, an indexer, a gateway and an outbox as processes against a Kafka and an Elasticsearch, as
the tests do.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from aiohttp import ClientSession, web

from tests import sharing
from tests.pipeline import Pipeline, running

_CHANNELS: Final = 100
_EVENTS: Final = 20_000
_PAGES: Final = 400
_PACED_PER_S: Final = 200
_PACED_S: Final = 10


class Receiver:
    """It takes everything at once, and notes when."""

    def __init__(self) -> None:
        self.came: dict[str, float] = {}
        self.order: dict[str, list[int]] = {}

    async def handle(self, request: web.Request) -> web.Response:
        event = json.loads(await request.read())["data"]
        self.came.setdefault(event["id"], time.time())
        self.order.setdefault(event["stream"], []).append(event["seq"])
        return web.Response(status=204)


async def post(http: ClientSession, url: str, channel: str, count: int) -> list[Any]:
    """Broadcasts; what is said of each."""
    body = [{"type": "post", "data": {"text": f"event {n}"}} for n in range(count)]
    async with http.post(f"{url}/v1/streams/broadcast/{channel}/events", json=body) as response:
        return list((await response.json())["results"])


def late(values: list[float]) -> str:
    cut = statistics.quantiles(values, n=100)
    return f"p50 {cut[49] * 1000:.1f} ms, p99 {cut[98] * 1000:.1f} ms"


async def pages(http: ClientSession, url: str) -> None:
    """A feed of a hundred channels."""
    user = {"Touchline-User": "bench"}
    for number in range(_CHANNELS):
        async with http.put(f"{url}/v1/follows/feed-{number}", headers=user) as response:
            assert response.status == 200, await response.text()
        await post(http, url, f"feed-{number}", 50)
    await asyncio.sleep(3)
    for what in ("newest", "further back"):
        took: list[float] = []
        before = ""
        for _ in range(_PAGES):
            began = time.perf_counter()
            async with http.get(f"{url}/v1/feed?limit=50{before}", headers=user) as response:
                page = await response.json()
            took.append(time.perf_counter() - began)
            if what != "newest":
                before = f"&before={page['events'][-1]['id']}" if page["more"] else ""
        print(f"feed page (50) of {_CHANNELS} channels, {what}: {late(took[20:])}")


async def posts(http: ClientSession, url: str) -> None:
    """Posts to one receiver in order of a hundred channels."""
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/", receiver.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    body = {"url": f"http://127.0.0.1:{runner.addresses[0][1]}/", "streams": ["broadcast:hook-*"]}
    async with http.put(f"{url}/v1/webhooks/bench", json=body) as response:
        assert response.status == 201, await response.text()
    every = _EVENTS // _CHANNELS
    began = time.perf_counter()
    await asyncio.gather(*(post(http, url, f"hook-{n}", every) for n in range(_CHANNELS)))
    while len(receiver.came) < _EVENTS:  # noqa: ASYNC110 - it is looked at, not waited for
        await asyncio.sleep(0.05)
    took = time.perf_counter() - began
    ordered = all(seqs == sorted(seqs) for seqs in receiver.order.values())
    print(f"posts to one receiver: {_EVENTS / took:,.0f} a second, in order per channel: {ordered}")
    sent: dict[str, float] = {}
    for tick in range(_PACED_S * 10):
        at = time.time()
        for result in await post(http, url, f"hook-{tick % _CHANNELS}", _PACED_PER_S // 10):
            sent[result["id"]] = at
        await asyncio.sleep(max(0.0, 0.1 - (time.time() - at)))
    await asyncio.sleep(2)
    took_s = [receiver.came[id_] - at for id_, at in sent.items() if id_ in receiver.came]
    print(f"event to receiver at {_PACED_PER_S}/s: {late(took_s)}")
    await runner.cleanup()


async def measure(pipeline: Pipeline) -> None:
    async with ClientSession() as http:
        await pages(http, pipeline.gateway_url)
        await posts(http, pipeline.gateway_url)


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    with tempfile.TemporaryDirectory() as directory:
        logs = Path(directory)
        with sharing.shared("kafka", logs) as kafka, sharing.shared("elasticsearch", logs) as elasticsearch:
            roles = ("stream", "index", "gateway", "outbox")
            with running(kafka, elasticsearch, logs, *roles) as pipeline:
                asyncio.run(measure(pipeline))


if __name__ == "__main__":
    main()
