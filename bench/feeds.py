"""Feeds and webhooks: pages of a hundred channels, posts to one receiver, a channel that a million follow.

    python -m bench.feeds [pages] [posts] [giant] [--followers 1000000] [--connected 10000]

It runs each role as a process against a Kafka and an Elasticsearch, as the tests do. The followers of the
giant are written as the states that their commands would have made.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

import psutil
from aiohttp import ClientSession, web
from confluent_kafka import Consumer, Producer, TopicPartition
from websockets.asyncio.client import connect

from bench.report.figures import quantile, sample
from bench.rig.generator import build, load
from control.entity.types import Stamp
from control.entity.writer import partition_of_key
from control.feeds.follows import Follow, count_key, follow_key, followers_prefix, share_of
from control.feeds.table import follow_type
from kernel.log.kafka import client_config
from kernel.log.positions import Kind
from kernel.log.topics import topic_names
from kernel.settings.reading import Settings
from tests import sharing
from tests.pipeline import Pipeline, running

_CHANNELS: Final = 100
_EVENTS: Final = 20_000
_PAGES: Final = 400
#: An id of the year 2500.
_FAR: Final = 16_725_225_600_000 << 38
#: Of the followers the last ones that were written, of many partitions.
_LAST: Final = 50
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


async def pages(http: ClientSession, pipeline: Pipeline) -> None:
    """A feed of a hundred channels."""
    url, gateway = pipeline.gateway_url, psutil.Process(pipeline.pid("gateway"))
    user = {"Touchline-User": "bench"}
    for number in range(_CHANNELS):
        async with http.put(f"{url}/v1/follows/feed-{number}", headers=user) as response:
            assert response.status == 200, await response.text()
        await post(http, url, f"feed-{number}", 50)
    await asyncio.sleep(3)
    for what in ("first look", "looked again", "further back"):
        took: list[float] = []
        before, spent = "", sum(gateway.cpu_times()[:2])
        for number in range(_PAGES):
            if what == "first look":  # nobody has asked for this page, which is the newest one
                before = f"&before={_FAR + number}"
            began = time.perf_counter()
            async with http.get(f"{url}/v1/feed?limit=50{before}", headers=user) as response:
                assert response.status == 200, await response.text()
                page = await response.json()
            took.append(time.perf_counter() - began)
            if what == "further back":
                before = f"&before={page['events'][-1]['id']}" if page["more"] else ""
        spent = (sum(gateway.cpu_times()[:2]) - spent) / _PAGES
        print(
            f"feed page (50) of {_CHANNELS} channels, {what}: {late(took[20:])};"
            f" {spent * 1000:.1f} ms of the gateway's processor",
            flush=True,
        )
        for share in (0.5, 0.99):
            sample(f"feed page p{share * 100:.0f}", what, quantile(took[20:], share) * 1000)


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
    print(
        f"posts to one receiver: {_EVENTS / took:,.0f} a second, in order per channel: {ordered}", flush=True
    )
    sample("webhook posts", "to one receiver", _EVENTS / took)
    sent: dict[str, float] = {}
    for tick in range(_PACED_S * 10):
        at = time.time()
        for result in await post(http, url, f"hook-{tick % _CHANNELS}", _PACED_PER_S // 10):
            sent[result["id"]] = at
        await asyncio.sleep(max(0.0, 0.1 - (time.time() - at)))
    await asyncio.sleep(2)
    took_s = [receiver.came[id_] - at for id_, at in sent.items() if id_ in receiver.came]
    print(f"event to receiver at {_PACED_PER_S}/s: {late(took_s)}", flush=True)
    sample("webhook late", "p99", quantile(took_s, 0.99) * 1000)
    await runner.cleanup()


# ── a channel that a million follow ──────────────────────────────────────────────────────────────────────


def follow(settings: Settings, channel: str, followers: int) -> None:
    """Users f0, f1 … follow a channel, as the owners of their shares would have written it."""
    type_, now = follow_type(settings), int(time.time() * 1000)
    producer = Producer(client_config(settings, linger_ms=20, queue_buffering_max_messages=500_000))
    partitions = len(producer.list_topics(type_.topic, timeout=10).topics[type_.topic].partitions)
    shares: Counter[str] = Counter()

    def put(key: bytes, state: Follow) -> None:
        value = type_.encode(type_.with_stamp(state, Stamp(1, {})))
        place = partition_of_key(type_.entity_of(key), partitions)
        while True:
            try:
                producer.produce(type_.topic, value, key, place)
                return
            except BufferError:
                producer.poll(0.1)

    for number in range(followers):
        user = f"f{number}"
        put(follow_key(user, channel), Follow(user=user, channel=channel, since=now - 60_000))
        put(count_key(user).encode(), Follow(user=user, n=1))
        shares[share_of(user)] += 1
    for share, count in shares.items():
        put(followers_prefix(channel) + share.encode(), Follow(channel=channel, n=count))
    producer.flush()


async def live(http: ClientSession, url: str, channel: str) -> tuple[str, float]:
    """It goes live: its event's id, and how long until that is accepted."""
    body, began = {"type": "live_started", "data": {"title": channel}}, time.perf_counter()
    path = f"/v1/streams/broadcast/{channel}/events?wait=accepted"
    async with http.post(f"{url}{path}", json=body) as response:
        answer = await response.json()
    return str(answer["results"][0]["id"]), time.perf_counter() - began


def written(settings: Settings) -> int:
    """Records of all ingest topics of broadcasts, so far: notifications are such."""
    topic = topic_names(settings).ingest[Kind.BROADCAST]
    consumer = Consumer(client_config(settings, group_id="bench-never-joined"))
    try:
        parts = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        return sum(consumer.get_watermark_offsets(TopicPartition(topic, part))[1] for part in parts)
    finally:
        consumer.close()


async def known_at_the_edge(url: str, user: str) -> None:
    """Return once the edge, which reads the states of a million by itself, knows what this one follows."""
    async with connect(f"{url}?user={user}", compression=None) as wire:
        while True:
            await wire.send(json.dumps({"id": 1, "op": "feed", "limit": 1}))
            async for frame in wire:
                if (told := json.loads(frame)).get("id") == 1:
                    break
            if told.get("events"):
                return
            await asyncio.sleep(1)


async def giant(http: ClientSession, pipeline: Pipeline, followers: int, connected: int) -> None:
    """It goes live: what that costs at write, when those hear it who are there, and when who comes later."""
    url, settings = pipeline.gateway_url, pipeline.settings
    small = statistics.median([(await live(http, url, "nobody"))[1] for _ in range(30)])
    await asyncio.to_thread(follow, settings, "giant", followers)
    async with asyncio.timeout(300):
        while True:
            async with http.get(f"{url}/v1/channels/giant/followers") as response:
                if (await response.json())["followers"] == followers:
                    break
            await asyncio.sleep(0.5)
    await live(http, url, "giant")  # something is in their feeds
    async with asyncio.timeout(300):
        for user in range(followers - _LAST, followers):
            await known_at_the_edge(pipeline.edge_url, f"f{user}")
    before = written(settings)
    large = statistics.median([(await live(http, url, "giant"))[1] for _ in range(30)])
    await asyncio.sleep(2)
    more = written(settings) - before - 30
    print(
        f"live_started, accepted after: {small * 1000:.1f} ms with no follower, {large * 1000:.1f} ms with"
        f" {followers:,}; notifications written while nobody looks: {more}"
    )
    sample("live accepted", f"{followers:,} followers", large * 1000)
    command = ("/v1/ws?user=f{i}", "--first-frame", '{"id":1,"op":"feed","limit":1}', "--arrival")
    told = ("--ready-match", '"more"', "--stamp", '"server_ts":"', "--connect-rate", "400")
    pids = [pipeline.pid("edge")]
    with load(connected, pids, *command, *told, port=settings.edge.port) as there:
        await asyncio.to_thread(there.ready, connected)
        await asyncio.sleep(5)
        there.say("poll 0")
        there.say("reset")
        id_, _ = await live(http, url, "giant")
        report = await asyncio.to_thread(there.wait_for, connected)
    assert report["msgs"] == connected, report
    last = report["maxlat"]
    print(
        f"live_started on the screens of {connected:,} followers who are there: {last:,.0f} ms after it was"
        f" appended (p50 {report['p50']:,.0f}, in their sockets p99 {report['came_p99']:,.0f}); the edge took"
        f" {report['srv_cpu']:.2f} s, they {report['load_cpu']:.2f} s"
    )
    sample("live told", f"{connected:,} there", last)
    later = f"f{followers - 1}"
    began = time.perf_counter()
    async with connect(f"{pipeline.edge_url}?user={later}", compression=None) as wire:
        notes = f"broadcast:notify-{later}"
        await wire.send(json.dumps({"id": 1, "op": "subscribe", "stream": notes, "last": 5}))
        async with asyncio.timeout(30):
            async for frame in wire:
                if id_ in str(frame):
                    break
    looked = time.perf_counter() - began
    print(f"a follower who comes later is told of it: {looked * 1000:.0f} ms after they look")
    sample("live looked", "one who comes later", looked * 1000)


PARTS: Final = ("pages", "posts", "giant")


async def measure(pipeline: Pipeline, given: argparse.Namespace) -> None:
    async with ClientSession() as http:
        for part in given.parts or PARTS:
            match part:
                case "pages":
                    await pages(http, pipeline)
                case "posts":
                    await posts(http, pipeline.gateway_url)
                case _:
                    await giant(http, pipeline, given.followers, given.connected)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; all, if none is named")
    parser.add_argument("--followers", type=int, default=1_000_000)
    parser.add_argument("--connected", type=int, default=10_000)
    given = parser.parse_args()
    if unknown := set(given.parts) - set(PARTS):
        parser.error(f"There is no {', '.join(sorted(unknown))}.")
    build()
    with tempfile.TemporaryDirectory() as directory:
        logs = Path(directory)
        with sharing.shared("kafka", logs) as kafka, sharing.shared("elasticsearch", logs) as elasticsearch:
            roles = ("stream", "index", "edge", "gateway", "outbox")
            limits = {
                "TOUCHLINE_LIMITS_READS_PER_S": "1000",
                "TOUCHLINE_EDGE_MAX_CONNECTIONS": "20000",
                "TOUCHLINE_EDGE_MAX_CONNECTIONS_PER_ADDRESS": "20000",
            }
            with running(kafka, elasticsearch, logs, *roles, **limits) as pipeline:
                asyncio.run(measure(pipeline, given))


if __name__ == "__main__":
    main()
