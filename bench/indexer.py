"""The indexer's speed on real servers: the rate, the time until an event is found, and the memory.

    python -m bench.indexer rate [--documents 100000] [--turns 3]
    python -m bench.indexer found [--seconds 20] [--runs 3] [--warm-up 25]
    python -m bench.indexer memory [--seconds 120]

rate    from the log to confirmed documents, beside helpers.parallel_bulk with ready-made ones, turn by turn.
found   from an event's append to its being found, at 2,000 events a second.
memory  of `touchline index` as a process, at 2,000 events a second: its growth over the second half.

Servers: those of the settings (TOUCHLINE_…), under a prefix of its own, which is removed at the end.
"""

import argparse
import asyncio
import os
import secrets
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from itertools import islice
from statistics import linear_regression, median
from typing import Any

import msgspec
import psutil
import uvloop
from elasticsearch import Elasticsearch
from elasticsearch.helpers import parallel_bulk

from bench.report.figures import quantile, sample
from bench.rig.corpus import clean, deployment, messages
from history.sources import names
from history.sources.elasticsearch_client import elastic_client
from kernel.clock import SystemClock
from kernel.log.positions import Kind
from kernel.process.health import Health
from kernel.settings.reading import Settings, as_environment
from search_indexer.indexing.documents import indexable
from search_indexer.indexing.indexer import Indexer
from search_indexer.indexing.mappings import put_templates
from search_indexer.indexing.source import EventSource
from search_indexer.role import calm_collector
from search_indexer.searching.request import Page, Search
from search_indexer.searching.search import Searcher
from search_indexer.text.folding import Folding
from tests.accepted import write, writer

PER_SECOND = 2000
CLOCK = SystemClock()


async def index_all(
    settings: Settings, generation: int | None = None, *, publish_s: float = float("inf")
) -> tuple[int, float]:
    """Index what the log has more than the index; how many, and in how many seconds."""
    async with elastic_client(settings, timeout_s=60) as client:
        source = EventSource(settings, CLOCK, group=None)
        indexer = Indexer(settings, CLOCK, client, source, health=Health(), follow=False)
        await indexer.open(generation)
        await indexer.take_all()
        count, begun = await indexer.remaining(), time.perf_counter()
        published = begun
        while await indexer.step() or await indexer.remaining():
            if time.perf_counter() - published > publish_s:
                await indexer.refresh()
                published = time.perf_counter()
        await indexer.drain()
        took = time.perf_counter() - begun
        await indexer.refresh()
        await indexer.close()
    return count, took


def ready_made(settings: Settings, generation: int, actions: list[dict[str, Any]]) -> float:
    """Documents a second of parallel_bulk with actions that were made before."""
    prefix = settings.elasticsearch.index_prefix
    for action in actions:
        day = names.day_of(action["_source"]["at"])
        action["_index"] = names.index_name(prefix, Kind.CHAT, generation, day)
    with Elasticsearch(settings.elasticsearch.url, request_timeout=60) as client:
        begun = time.perf_counter()
        for ok, _ in parallel_bulk(client, actions, thread_count=4, chunk_size=2000):
            assert ok
        return len(actions) / (time.perf_counter() - begun)


def action_of(event: dict[str, Any], folding: Folding) -> dict[str, Any]:
    made = indexable(Kind.CHAT, event, folding)
    source = msgspec.to_builtins(made.document)
    return {"_id": made.id, "version": made.document.seq, "version_type": "external", "_source": source}


async def rate(settings: Settings, documents: int, turns: int) -> None:
    calm_collector()  # as the role does
    folding, first = Folding(), CLOCK.now_ms() - documents
    events = list(messages(documents, first=1, since_ms=first))
    write(settings, Kind.CHAT, events)
    actions = [action_of(event, folding) for event in events]
    del events
    ratios = []
    # Turn by turn, the other one first each time: a JVM that warms up, and merges, favour neither.
    for turn in range(turns):
        async with elastic_client(settings) as client:
            for generation in (2 * turn + 1, 2 * turn + 2):
                await put_templates(client, settings, generation, live=False)
        ours = theirs = 0.0
        for who in ("ours", "theirs") if turn % 2 else ("theirs", "ours"):
            if who == "ours":
                count, took = await index_all(settings, 2 * turn + 1)
                ours = count / took
            else:
                theirs = await asyncio.to_thread(ready_made, settings, 2 * turn + 2, actions)
        if turn > 1:  # the first ones warm up
            ratios.append(ours / theirs)
            sample("indexing", "indexer", ours)
            sample("indexing", "parallel_bulk", theirs)
        print(f"turn {turn}: indexer {ours:,.0f}/s, parallel_bulk {theirs:,.0f}/s, {ours / theirs:.2f} of it")
    if ratios:
        print(f"indexing: {median(ratios):.2f} of parallel_bulk with ready-made documents")


async def load(settings: Settings, seconds: float) -> AsyncIterator[tuple[str, float]]:
    """Write 2,000 events a second; after each half second's last one, its token and when it was written."""
    events, producer = messages(10**9, first=10**6, since_ms=0), writer(settings)
    begun, sent = time.perf_counter(), 0
    while (passed := time.perf_counter() - begun) < seconds:
        due = int(passed * PER_SECOND) - sent
        if due < 100:
            await asyncio.sleep(0.005)
            continue
        some = list(islice(events, due))
        for event in some:
            event["server_ts"] = CLOCK.now_ms()
        token = f"probe{sent}x"
        some[-1]["data"]["text"] += f" {token}"
        sent += due
        await asyncio.to_thread(write, settings, Kind.CHAT, some, producer)
        yield token, time.perf_counter()


async def found(settings: Settings, seconds: float, runs: int, warm_up_s: float) -> None:
    """One load for all runs, which warms up once: an Elasticsearch that was just started compiles its code,
    on the cores that it shares with all else.
    """
    delays: list[list[float]] = [[] for _ in range(runs)]
    process = await asyncio.to_thread(start_indexer, settings)
    try:
        async with elastic_client(settings) as client, asyncio.TaskGroup() as tasks:
            searcher = Searcher(client, settings, CLOCK)

            async def wait_for(token: str, at: float, run: int) -> None:
                while True:
                    if (await searcher.search(Search(q=f'"{token}"'), Page(limit=1))).total:
                        break
                    await asyncio.sleep(0.02)
                delays[run].append(time.perf_counter() - at)

            asked, warm = 0.0, time.perf_counter() + warm_up_s
            async for token, at in load(settings, warm_up_s + runs * seconds):
                run = int((at - warm) // seconds)
                if at - asked >= 0.2 and 0 <= run < runs:
                    asked = at
                    tasks.create_task(wait_for(token, at, run))
    finally:
        process.terminate()
        process.wait(20)
    for each in delays:
        p50, p99 = quantile(each, 0.5), quantile(each, 0.99)
        sample("found p50", "indexer", p50, PER_SECOND)
        sample("found p99", "indexer", p99, PER_SECOND)
        print(f"found at {PER_SECOND}/s: p50 {p50:.2f} s, p99 {p99:.2f} s ({len(each)} probes)")


async def memory(settings: Settings, seconds: float) -> None:
    process = await asyncio.to_thread(start_indexer, settings)
    seen: list[tuple[float, float]] = []
    try:
        watched, begun, shown = psutil.Process(process.pid), time.perf_counter(), 0.0
        async for _ in load(settings, seconds):
            at = time.perf_counter() - begun
            if not seen or at - seen[-1][0] >= 1:
                seen.append((at, watched.memory_info().rss / 1e6))
            if at - shown >= 10:
                shown = at
                print(f"{at:5.0f} s: {seen[-1][1]:.1f} MB", flush=True)
    finally:
        process.terminate()
        process.wait(20)
    half = seen[len(seen) // 2 :]
    slope = linear_regression([at for at, _ in half], [size for _, size in half]).slope * 60
    print(f"memory at {PER_SECOND}/s: {half[-1][1]:.0f} MB; {slope:+.2f} MB a minute over the second half")


def start_indexer(settings: Settings) -> subprocess.Popen[bytes]:
    """`touchline index`, once it is ready."""
    environment = {**os.environ, **as_environment(settings)}
    process = subprocess.Popen([sys.executable, "-m", "touchline", "index"], env=environment)
    with Elasticsearch(settings.elasticsearch.url) as client:
        while not client.indices.exists(index=names.state_index(settings.elasticsearch.index_prefix)):
            time.sleep(0.1)
    return process


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("rate", "found", "memory"))
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--runs", type=int, default=3, help="of `found`")
    parser.add_argument("--warm-up", type=float, default=25.0, metavar="SECONDS", help="of `found`")
    given = parser.parse_args()
    settings = deployment(f"bench{secrets.token_hex(3)}")
    try:
        match given.what:
            case "rate":
                uvloop.run(rate(settings, given.documents, given.turns))
            case "found":
                uvloop.run(found(settings, given.seconds, given.runs, given.warm_up))
            case _:
                uvloop.run(memory(settings, given.seconds))
    finally:
        clean(settings)


if __name__ == "__main__":
    main()
