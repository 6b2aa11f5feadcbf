"""Search and history with a million messages indexed, each beside what it is to be compared with.

    python -m bench.search run [--documents 1000000]
    python -m bench.search fill PREFIX [--documents 1000000]
    python -m bench.search ask PREFIX [--documents 1000000]
    python -m bench.search clean PREFIX

run    fill, ask and clean, in one.
fill   writes the log, and indexes it; a run that was broken off is gone on with.
ask    p50 of searches beside the same sent straight to Elasticsearch, turn by turn, and of history's pages
       of 50 from the middle, at places all over it.

Servers: those of the settings (TOUCHLINE_…). PREFIX names the topics and indices.
"""

import argparse
import asyncio
import random
import secrets
import time
from collections.abc import Awaitable, Callable
from statistics import median
from typing import Any

import msgspec
from confluent_kafka import Consumer, KafkaException, TopicPartition

from bench.indexer import index_all
from bench.report.figures import quantile, sample
from bench.rig.corpus import CHANNELS, PARTITIONS, clean, deployment, messages
from history import History
from history.sources import names
from history.sources.elasticsearch_client import elastic_client
from kernel.clock import SystemClock
from kernel.log.kafka import client_config
from kernel.log.positions import Kind, Stream, make_seq
from kernel.log.topics import topic_names
from kernel.settings.reading import Settings
from search_indexer.query.parser import parse
from search_indexer.searching.request import Page, Search, Sort
from search_indexer.searching.request_body import request_body
from search_indexer.searching.search import Searcher
from search_indexer.text.folding import Folding
from tests.accepted import write

CLOCK = SystemClock()
QUERIES: tuple[tuple[str, Sort], ...] = (
    ("goal keeper", "newest"),
    ("goal keeper", "relevance"),
    ('"half time"', "newest"),
    ("penlaty -ref", "relevance"),
)
TURNS = 80
WARM = 30


def on_the_log(settings: Settings) -> int:
    topic = topic_names(settings).events[Kind.CHAT]
    consumer = Consumer(client_config(settings, group_id="bench"))
    try:
        places = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        while True:
            try:
                return sum(consumer.get_watermark_offsets(place, timeout=10)[1] for place in places)
            except KafkaException:  # the topic is new: its leaders are in a moment
                consumer.poll(0.1)
    finally:
        consumer.close()


async def fill(settings: Settings, documents: int) -> None:
    begun, there = time.perf_counter(), on_the_log(settings)
    if there < documents:
        # Yesterday's and today's: two days' indices.
        since = CLOCK.now_ms() - documents
        write(settings, Kind.CHAT, messages(documents - there, first=there + 1, since_ms=since))
        print(f"{documents - there:,} written to the log in {time.perf_counter() - begun:.0f} s", flush=True)
    count, took = await index_all(settings, publish_s=5)
    print(f"{count:,} indexed in {took:.0f} s ({count / took:,.0f}/s)")


async def timed(ask: Callable[[], Awaitable[Any]]) -> float:
    begun = time.perf_counter()
    await ask()
    return (time.perf_counter() - begun) * 1000


def in_thirds(took: list[float]) -> list[list[float]]:
    """Runs, as it were: turn by turn, in three parts."""
    return [took[third::3] for third in range(3)]


async def searches(settings: Settings) -> None:
    """p50 of ours, and of the same sent straight, turn by turn: a busy machine is busy for both."""
    async with elastic_client(settings) as client:
        searcher, folding = Searcher(client, settings, CLOCK), Folding()
        alias = names.alias(settings.elasticsearch.index_prefix, Kind.CHAT)
        for q, sort in QUERIES:
            search = Search(q=q, sort=sort, kinds=(Kind.CHAT,))
            text = msgspec.json.encode(straight(request_body(search, parse(q, folding), Page(), ("*",))))

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
            theirs: list[float] = []
            for _ in range(WARM + TURNS):
                for ask, took in ((ours, mine), (direct, theirs)):
                    took.append(await timed(ask))
            for who, took in (("search", mine), ("straight to Elasticsearch", theirs)):
                for third in in_thirds(took[WARM:]):
                    sample(f"search {QUERIES.index((q, sort)) + 1}", who, median(third))
            mine_ms, theirs_ms = median(mine[WARM:]), median(theirs[WARM:])
            print(
                f"search p50 {q} ({sort}): {mine_ms:.1f} ms; straight {theirs_ms:.1f} ms;"
                f" {mine_ms / theirs_ms:.2f} times",
                flush=True,
            )


def straight(body: dict[str, Any]) -> dict[str, Any]:
    """The body as the REST interface wants it: the client has names of its own for two of the fields."""
    source = {"includes": body.pop("source_includes"), "excludes": body.pop("source_excludes")}
    return {**body, "_source": source}


async def pages(settings: Settings, documents: int) -> None:
    dice = random.Random(1)
    async with History(settings, CLOCK) as history:
        for way in ("after", "before"):
            took = []
            for _ in range(WARM + TURNS):
                seq = make_seq(1, documents // 2 + dice.randrange(-documents // 4, documents // 4))
                stream = Stream(Kind.CHAT, f"channel-{dice.randrange(CHANNELS)}")
                begun = time.perf_counter()
                page = await history.read(stream, limit=50, **{way: seq})
                took.append((time.perf_counter() - begun) * 1000)
                assert (len(page.events), page.degraded) == (50, False)
            kept = took[WARM:]
            p50, p90 = median(kept), quantile(kept, 0.9)
            for third in in_thirds(kept):
                sample(f"history {way}", "history", median(third))
            print(f"history, 50 {way} a place in the middle: p50 {p50:.1f} ms, p90 {p90:.1f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("run", "fill", "ask", "clean"))
    parser.add_argument("prefix", metavar="PREFIX", nargs="?", default=f"bench{secrets.token_hex(3)}")
    parser.add_argument("--documents", type=int, default=1_000_000)
    given = parser.parse_args()
    settings = deployment(given.prefix)
    try:
        if given.what in {"run", "fill"}:
            asyncio.run(fill(settings, given.documents))
        if given.what in {"run", "ask"}:
            asyncio.run(searches(settings))
            asyncio.run(pages(settings, given.documents))
    finally:
        if given.what in {"run", "clean"}:
            clean(settings)


if __name__ == "__main__":
    main()
