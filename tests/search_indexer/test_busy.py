"""An Elasticsearch that takes nothing for a while: the log waits, nothing is refused, and it goes on."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import AsyncElasticsearch

from history.sources.elasticsearch_client import elastic_client
from kernel.clock import ManualClock, SystemClock
from kernel.log.positions import Kind
from kernel.log.topics import topic_names
from search_indexer.indexing.state import IndexState
from tests.accepted import START_MS, chat, event, write
from tests.pipeline import Pipeline, eventually, running
from tests.search_indexer.conftest import QUICK
from tests.search_indexer.reading import complete, documents, records
from tests.servers import data_directory, running_elasticsearch

pytestmark = [pytest.mark.servers, pytest.mark.timeout(550)]
_offsets = count(1)
DAY_MS = 24 * 60 * 60 * 1000


@pytest.fixture(scope="module")
def indexing(kafka_servers: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """An indexer whose Elasticsearch is its own: a setting of the whole cluster is changed."""
    logs: Path = tmp_path_factory.mktemp("busy")
    with (
        data_directory() as data,
        running_elasticsearch(data) as url,
        running(kafka_servers, url, logs, "index", **QUICK) as started,
    ):
        yield started


@pytest.fixture
async def client(indexing: Pipeline) -> AsyncIterator[AsyncElasticsearch]:
    async with elastic_client(indexing.settings) as made:
        yield made


def refused(pipeline: Pipeline) -> list[Any]:
    return records(pipeline.settings, topic_names(pipeline.settings).rejected)


async def full_disk(client: AsyncElasticsearch, prefix: str, *, full: bool) -> None:
    """What Elasticsearch itself does above the flood stage: each document is answered 429."""
    block = {"index.blocks.read_only_allow_delete": True if full else None}
    await client.indices.put_settings(index=f"{prefix}-chat-*", settings=block)


async def no_more_shards(client: AsyncElasticsearch, prefix: str, *, full: bool) -> None:
    """As many shards as the cluster may have: the new day's index cannot be made, which is answered 400."""
    await client.cluster.put_settings(persistent={"cluster.max_shards_per_node": 1 if full else None})


@pytest.mark.parametrize(("cause", "says"), [(full_disk, "429"), (no_more_shards, "maximum")])
async def test_the_log_waits_while_nothing_is_taken(
    indexing: Pipeline, client: AsyncElasticsearch, cause: Callable[..., Any], says: str
) -> None:
    settings, prefix = indexing.settings, indexing.settings.elasticsearch.index_prefix

    async def until_it_waits() -> None:
        async with asyncio.timeout(150):
            while says not in indexing.problems("index").get("elasticsearch", ""):
                # Elasticsearch looks at its disk now and then, and takes the block away where there is room.
                await cause(client, prefix, full=True)
                await asyncio.sleep(0.2)

    channel, before = f"busy-{says}", len(refused(indexing))
    write(settings, Kind.CHAT, [chat(channel, next(_offsets), "the first")])
    await complete(settings, client, f"chat:{channel}", 1)
    await cause(client, prefix, full=True)
    try:
        # Of another day where that matters, so that a new index is needed.
        at = START_MS - 2 * DAY_MS if says == "maximum" else None
        events = [chat(channel, next(_offsets), f"message {n}", at=at) for n in range(5000)]
        write(settings, Kind.CHAT, events)
        await until_it_waits()
        if cause is full_disk:
            # Asked to stop, it does not wait for Elasticsearch; started again, it goes on where it was.
            assert indexing.stop("index") == 0
            indexing.launch("index")
            await until_it_waits()
    finally:
        await cause(client, prefix, full=False)
    await complete(settings, client, f"chat:{channel}", 5001)
    assert len(await documents(client, settings, f"chat:{channel}")) == 5001
    eventually("it is ready again", lambda: indexing.is_ready("index"))
    assert len(refused(indexing)) == before


async def test_a_document_that_is_refused_for_good_takes_no_other_with_it(
    indexing: Pipeline, client: AsyncElasticsearch
) -> None:
    before = {(m.key(), m.value()) for m in refused(indexing)}
    places = [event(Kind.LOCATION, "fans", next(_offsets), {"lat": 51.0, "lon": 0.0}) for _ in range(20)]
    places[7]["data"]["lat"] = 95.0  # nowhere on the earth
    write(indexing.settings, Kind.LOCATION, places)
    await complete(indexing.settings, client, "location:fans", 19, kind=Kind.LOCATION)

    def new() -> set[Any]:
        return {(m.key(), m.value()) for m in refused(indexing)} - before

    assert [key for key, _ in eventually("it is on touchline.rejected", new)] == [b"fans"]


async def test_whole_indices_are_dropped_when_their_day_is_over(
    indexing: Pipeline, client: AsyncElasticsearch
) -> None:
    settings, prefix = indexing.settings, indexing.settings.elasticsearch.index_prefix
    days = settings.indexer.retention_days
    old, kept = START_MS - (days - 3) * DAY_MS, START_MS - (days - 10) * DAY_MS
    for at in (old, kept):
        write(settings, Kind.CHAT, [chat("ages", next(_offsets), "long ago", at=at)])
    await complete(settings, client, "chat:ages", 2)
    before = set(await client.indices.get(index=f"{prefix}-*"))
    now = SystemClock().now_ms()
    assert await IndexState(client, settings, ManualClock(now)).sweep() == []
    # A week on, the one is past its time.
    dropped = await IndexState(client, settings, ManualClock(now + 7 * DAY_MS)).sweep()
    assert [name for name in dropped if name.startswith(f"{prefix}-chat-")]
    assert set(await client.indices.get(index=f"{prefix}-*")) == before - set(dropped)
    (left,) = (await documents(client, settings, "chat:ages")).values()
    assert left["at"] == kept
