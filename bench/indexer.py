"""The indexer's speed on real servers, each figure beside what it is to be compared with, in one run.

    python -m bench.indexer [--documents 100000] [--seconds 20]

1. Indexing, from the log to confirmed documents, beside helpers.parallel_bulk with ready-made ones.
2. From an event's append to its being found, at 2,000 events/s.
3. Search p50 beside the same query sent straight to Elasticsearch.
4. A page of 50 of history from the middle of a stream.

Servers: those of the settings (TOUCHLINE_…), under a prefix of its own, which is removed at the end.
"""

import argparse
import asyncio
import json
import os
import random
import secrets
import time
from collections.abc import Awaitable, Callable
from statistics import median
from typing import Any

import msgspec
import psutil
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from elasticsearch import Elasticsearch
from elasticsearch.helpers import parallel_bulk

from history import History, names
from history.elastic import elastic_client
from kernel.clock import SystemClock
from kernel.health import Health
from kernel.kafka import apply_topics, client_config
from kernel.positions import Kind, Stream, make_id, make_seq, partition_of
from kernel.settings import Settings, load_settings
from kernel.topics import topic_names, topics
from schemas.codec import Codec
from search_indexer.documents import indexable
from search_indexer.folding import Folding
from search_indexer.indexer import Indexer
from search_indexer.mappings import put_templates
from search_indexer.query.parser import parse
from search_indexer.request import Page, Search, Sort
from search_indexer.search import Searcher, request_body
from search_indexer.source import EventSource

SPEECH = (
    "what a goal the keeper had no chance at all come on you can do this great save by him that was never a "
    "penalty ref open your eyes best match of this world cup so far who else is watching from home tonight "
    "unbelievable pass midfield striker defender corner offside cross header free kick half time minutes"
)
WORDS = SPEECH.split()
QUERIES: tuple[tuple[str, Sort], ...] = (
    ("goal keeper", "newest"),
    ("goal keeper", "relevance"),
    ('"half time"', "newest"),
    ("penlaty -ref", "relevance"),
)
PARTITIONS = 4


def make_event(dice: random.Random, offset: int, at: int, channel: str) -> dict[str, Any]:
    """A chat message of about 200 bytes."""
    partition = partition_of(channel, PARTITIONS)
    return {
        "channel": channel,
        "seq": make_seq(1, offset),
        "id": make_id(Kind.CHAT, at, partition, offset),
        "server_ts": at,
        "partition": partition,
        "type": "message",
        "key": None,
        "sender": f"user-{dice.randrange(5000)}",
        "client_ts": None,
        "data": {"text": " ".join(dice.choices(WORDS, k=18)), "target": None, "extra": None},
    }


def produce(settings: Settings, events: list[dict[str, Any]], producer: Producer | None = None) -> None:
    codec, topic = Codec("event-chat"), topic_names(settings).events[Kind.CHAT]
    producer = producer or Producer(client_config(settings, linger_ms=5))
    for event in events:
        value = codec.encode(event)
        while True:
            try:
                producer.produce(
                    topic,
                    value,
                    key=event["channel"],
                    partition=event["partition"],
                    timestamp=event["server_ts"],
                )
                break
            except BufferError:
                producer.poll(0.1)
    assert producer.flush(60) == 0


async def index_all(settings: Settings, generation: int | None = None) -> float:
    """Documents a second, from the first batch to the last confirmation."""
    clock = SystemClock()
    async with elastic_client(settings, timeout_s=60) as client:
        source = EventSource(settings, clock, group=None)
        indexer = Indexer(settings, clock, client, source, health=Health(), follow=False)
        await indexer.open(generation)
        await indexer.take_all()
        count = await indexer.remaining()
        begun = time.perf_counter()
        while await indexer.step() or await indexer.remaining():
            pass
        await indexer.drain()
        rate = count / (time.perf_counter() - begun)
        await indexer.refresh()
        await indexer.close()
    return rate


def ready_made(settings: Settings, generation: int, events: list[dict[str, Any]]) -> float:
    """Documents a second of parallel_bulk with actions that were made before."""
    folding = Folding()
    prefix = settings.elasticsearch.index_prefix
    actions = []
    for event in events:
        made = indexable(Kind.CHAT, event, folding)
        actions.append(
            {
                "_index": names.index_name(prefix, Kind.CHAT, generation, names.day_of(made.document.at)),
                "_id": made.id,
                "version": made.document.seq,
                "version_type": "external",
                "_source": msgspec.to_builtins(made.document),
            }
        )
    with Elasticsearch(settings.elasticsearch.url, request_timeout=60) as client:
        begun = time.perf_counter()
        for ok, _ in parallel_bulk(client, actions, thread_count=4, chunk_size=2000):
            assert ok
        return len(actions) / (time.perf_counter() - begun)


async def median_ms(ask: Callable[[], Awaitable[Any]], times: int = 60) -> float:
    took = []
    for _ in range(times):
        begun = time.perf_counter()
        await ask()
        took.append(time.perf_counter() - begun)
    return sorted(took)[len(took) // 2] * 1000


async def until_found(settings: Settings, seconds: float, offset: int) -> list[float]:
    """Seconds from an event's append to its being found, of a sample, at 2,000 events a second."""
    clock, dice = SystemClock(), random.Random(1)
    stop, delays = asyncio.Event(), []
    async with elastic_client(settings) as client:
        source = EventSource(settings, clock, group=f"{settings.topics.prefix}-index")
        indexer = Indexer(settings, clock, client, source, health=Health())
        await indexer.open()
        source.subscribe()
        running = asyncio.create_task(indexer.run(stop))
        searcher = Searcher(client, settings, clock)

        async def wait_for(token: str, at: float) -> None:
            search = Search(q=f'"{token}"', channels=("live",))
            while True:
                if (await searcher.search(search, Page(limit=1))).total:
                    delays.append(time.perf_counter() - at)
                    return
                await asyncio.sleep(0.02)

        producer = Producer(client_config(settings, linger_ms=5))
        waiting: list[asyncio.Task[None]] = []
        begun, tick = time.perf_counter(), 0
        while (passed := time.perf_counter() - begun) < seconds:
            due = int(passed * 2000) - tick * 100
            if due < 100:
                await asyncio.sleep(0.01)
                continue
            events = [make_event(dice, offset + n, clock.now_ms(), "live") for n in range(100)]
            offset += 100
            tick += 1
            token = f"probe{tick}x"
            events[-1]["data"]["text"] += f" {token}"
            await asyncio.to_thread(produce, settings, events, producer)
            if tick % 5 == 0:
                waiting.append(asyncio.create_task(wait_for(token, time.perf_counter())))
        await asyncio.wait_for(asyncio.gather(*waiting), 60)
        stop.set()
        await running
    return sorted(delays)


async def searches(settings: Settings) -> list[tuple[str, float, float]]:
    """For each query: p50 of ours, and of the same sent straight, in ms, turn by turn."""
    found = []
    async with elastic_client(settings) as client:
        searcher, folding = Searcher(client, settings, SystemClock()), Folding()
        alias = names.alias(settings.elasticsearch.index_prefix, Kind.CHAT)
        for q, sort in QUERIES:
            search = Search(q=q, kinds=(Kind.CHAT,), sort=sort)
            body = request_body(search, parse(q, folding), Page(), ("*",))
            straight = {**body, "_source": {"excludes": body["source_excludes"]}}
            straight.pop("source_includes")
            straight.pop("source_excludes")
            text = json.dumps(straight).encode()

            async def direct(text: bytes = text) -> None:
                await client.perform_request(
                    "POST",
                    f"/{alias}/_search",
                    headers={
                        "content-type": "application/vnd.elasticsearch+json; compatible-with=9",
                        "accept": "application/vnd.elasticsearch+json; compatible-with=9",
                    },
                    body=text,
                )

            async def ours(search: Search = search) -> None:
                await searcher.search(search, Page())

            mine: list[float] = []
            straight_ms: list[float] = []
            for turn in range(100):  # turn by turn: a busy machine is busy for both
                for ask, took in ((ours, mine), (direct, straight_ms)):
                    took_ms = await median_ms(ask, 1)
                    if turn >= 30:
                        took.append(took_ms)
            found.append((f"{q} ({sort})", median(mine), median(straight_ms)))
    return found


def clean(settings: Settings) -> None:
    with Elasticsearch(settings.elasticsearch.url) as client:
        prefix = settings.elasticsearch.index_prefix
        for index in client.indices.get(index=f"{prefix}-*"):
            client.indices.delete(index=index)
        for template in client.indices.get_index_template(name=f"{prefix}-*")["index_templates"]:
            client.indices.delete_index_template(name=template["name"])
    admin = AdminClient(client_config(settings))
    for future in admin.delete_topics([topic.name for topic in topics(settings)]).values():
        future.result()


async def main(documents: int, seconds: float) -> None:
    prefix = f"bench{secrets.token_hex(3)}"
    given = {k: v for k, v in os.environ.items() if k.startswith("TOUCHLINE_")}
    settings = load_settings(
        {
            **given,
            "TOUCHLINE_TOPICS_PREFIX": prefix,
            "TOUCHLINE_TOPICS_PARTITIONS": str(PARTITIONS),
            "TOUCHLINE_ELASTICSEARCH_INDEX_PREFIX": prefix,
        }
    )
    apply_topics(settings, topics(settings))
    try:
        dice, now = random.Random(7), SystemClock().now_ms()
        events = [make_event(dice, n, now - documents + n, f"channel-{n % 8}") for n in range(documents)]
        produce(settings, events)
        async with elastic_client(settings) as client:
            for generation in (1, 2):
                await put_templates(client, settings, generation, live=False)
        # Turn by turn, so that a warm JVM favours neither; the first turn warms it.
        share = events[: documents // 5]
        ready_made(settings, 1, share)
        bulk = ready_made(settings, 2, events)
        ours = await index_all(settings)
        memory = psutil.Process().memory_info().rss / 1e6
        print(f"indexing: {ours:,.0f}/s; parallel_bulk, ready-made: {bulk:,.0f}/s; {ours / bulk:.2f} of it")
        print(f"memory of this process: {memory:.0f} MB")
        for name, mine, direct in await searches(settings):
            print(f"search p50 {name}: {mine:.1f} ms; straight {direct:.1f} ms; {mine / direct:.2f} times")
        async with History(settings, SystemClock()) as history:
            middle = make_seq(1, documents // 2)
            stream = Stream.parse("chat:channel-1")
            after = await median_ms(lambda: history.read(stream, after=middle, limit=50))
            before = await median_ms(lambda: history.read(stream, before=middle, limit=50))
        print(f"history, 50 from the middle, p50: after {after:.1f} ms, before {before:.1f} ms")
        delays = await until_found(settings, seconds, documents)
        p50, p99 = delays[len(delays) // 2], delays[int(len(delays) * 0.99)]
        print(f"to be found, at 2,000 events/s: p50 {p50:.2f} s, p99 {p99:.2f} s ({len(delays)} probes)")
    finally:
        clean(settings)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=20.0)
    arguments = parser.parse_args()
    asyncio.run(main(arguments.documents, arguments.seconds))
