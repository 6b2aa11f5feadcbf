"""The role itself has a day's indices made before the day begins: nobody else calls for them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from elasticsearch import ApiError, AsyncElasticsearch

from history.sources.elasticsearch_client import elastic_client
from history.sources.names import day_of, index_name
from kernel.clock import SystemClock
from kernel.log.positions import Kind
from search_indexer import role
from search_indexer.indexing.state import IndexState
from tests.pipeline import Pipeline, forget_indices

pytestmark = [pytest.mark.servers, pytest.mark.timeout(400)]
HOUR_MS = 60 * 60 * 1000
DAY_MS = 24 * HOUR_MS
PATIENCE_S = 180


class Calendar(SystemClock):
    """What time it is, a test sets; how long something takes, nobody does."""

    def __init__(self, now_ms: int) -> None:
        self.now = now_ms

    def now_ms(self) -> int:
        return self.now


@pytest.fixture
async def deployed(
    kafka_servers: str, elasticsearch_url: str, tmp_path: Path
) -> AsyncIterator[tuple[Pipeline, AsyncElasticsearch]]:
    pipeline = await asyncio.to_thread(Pipeline, kafka_servers, elasticsearch_url, tmp_path)
    async with elastic_client(pipeline.settings) as client:
        yield pipeline, client
    await asyncio.to_thread(forget_indices, elasticsearch_url, pipeline.name)


async def test_an_indexer_that_runs_makes_tomorrows_indices_in_the_last_hour(
    deployed: tuple[Pipeline, AsyncElasticsearch], monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline, client = deployed
    monkeypatch.setattr(role, "_SWEEP_S", 0.2)
    monkeypatch.setattr(role, "calm_collector", lambda: None)  # this process is the tests' own
    today = SystemClock().now_ms() // DAY_MS * DAY_MS
    clock, stop = Calendar(today + 12 * HOUR_MS), asyncio.Event()
    state = IndexState(client, pipeline.settings, clock)

    async def present(at: int) -> set[Kind]:
        try:
            live = await state.live()
        except ApiError as error:
            if error.meta.status != 503:
                raise
            return set()  # its index is only just being made
        if live is None:
            return set()
        prefix = pipeline.settings.elasticsearch.index_prefix
        days = {kind: index_name(prefix, kind, live, day_of(at)) for kind in Kind}
        return {kind for kind, index in days.items() if await client.indices.exists(index=index)}

    async def until_present(at: int) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while await present(at) != set(Kind):
                if indexer.done():
                    indexer.result()
                await asyncio.sleep(0.1)

    indexer = asyncio.create_task(role.serve(pipeline.settings, clock, stop))
    try:
        await until_present(today)
        assert await present(today + DAY_MS) == set()
        clock.now = today + 23 * HOUR_MS + HOUR_MS // 2
        await until_present(today + DAY_MS)
    finally:
        stop.set()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(indexer, PATIENCE_S)
