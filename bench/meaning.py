"""What searches by meaning cost: microseconds a message, bytes of index, and milliseconds of a query.

    python -m bench.meaning [--documents 30000] [--asked 200]

The same messages are indexed without vectors and with them, each into a deployment of its own, and asked by
words and by meaning. Servers: those of the settings, under prefixes that are removed at the end.
"""

import argparse
import asyncio
import secrets
import time
from statistics import median

from elasticsearch import Elasticsearch
from msgspec.structs import replace

from bench.indexer import index_all
from bench.report.figures import quantile, sample
from bench.rig.corpus import clean, deployment, messages
from history.sources.elasticsearch_client import elastic_client
from kernel.clock import SystemClock
from kernel.log.positions import Kind
from kernel.settings.reading import Settings
from search_indexer.searching.request import Page, Search, Sort
from search_indexer.searching.search import Searcher
from search_indexer.text.embeddings import Meanings
from tests.accepted import write

CLOCK = SystemClock()
ASKED = (
    "the goalkeeper stopped it",
    "referee is blind",
    "penalty",
    "watching on the sofa",
    "great pass header",
)


def microseconds(documents: int) -> float:
    """Of this processor, for a message's vector."""
    texts = [event["data"]["text"] for event in messages(documents, first=1, since_ms=0)]
    meanings = Meanings()
    meanings.of(texts[0])
    begun = time.process_time()
    for text in texts:
        meanings.of(text)
    return (time.process_time() - begun) / len(texts) * 1e6


def size_of(settings: Settings) -> int:
    """Bytes of the events' indices, merged into one segment each."""
    with Elasticsearch(settings.elasticsearch.url, request_timeout=120) as client:
        pattern = f"{settings.elasticsearch.index_prefix}-chat-g*"
        client.indices.forcemerge(index=pattern, max_num_segments=1)
        client.indices.refresh(index=pattern)
        return int(client.indices.stats(index=pattern)["_all"]["primaries"]["store"]["size_in_bytes"])


async def asked(settings: Settings, sort: Sort, times: int) -> list[float]:
    """What each search took, in milliseconds."""
    took = []
    async with elastic_client(settings) as client:
        searcher = Searcher(client, settings, CLOCK)
        for number in range(times):
            begun = time.perf_counter()
            await searcher.search(Search(q=ASKED[number % len(ASKED)], sort=sort), Page())
            took.append((time.perf_counter() - begun) * 1000)
    return took[len(ASKED) :]


async def measured(documents: int, times: int, *, meaning: bool) -> int:
    """Index and ask; the bytes of the index."""
    name = "with vectors" if meaning else "words alone"
    made = deployment(f"bench-{secrets.token_hex(3)}")
    settings = replace(made, elasticsearch=replace(made.elasticsearch, meaning=meaning))
    try:
        write(settings, Kind.CHAT, messages(documents, first=1, since_ms=CLOCK.now_ms() - documents))
        count, took = await index_all(settings, publish_s=1)
        sample("indexing by meaning", name, count / took)
        bytes_ = await asyncio.to_thread(size_of, settings)
        print(f"{name}: {count / took:,.0f} messages/s, {bytes_ / count:,.0f} bytes a message", flush=True)
        sorts: tuple[Sort, ...] = ("relevance", "meaning") if meaning else ("relevance",)
        for sort in sorts:
            each = await asked(settings, sort, times)
            print(f"{name}, {sort}: p50 {median(each):.1f} ms, p99 {quantile(each, 0.99):.1f} ms", flush=True)
        return bytes_
    finally:
        clean(settings)


async def run(documents: int, times: int) -> None:
    print(f"a message's vector: {microseconds(2000):.0f} µs", flush=True)
    without, with_ = [await measured(documents, times, meaning=one) for one in (False, True)]
    print(f"the index is {with_ / without:.2f} times as large")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--documents", type=int, default=30_000)
    parser.add_argument("--asked", type=int, default=200)
    given = parser.parse_args()
    asyncio.run(run(given.documents, given.asked))
