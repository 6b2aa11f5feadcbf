"""A deployment with an indexer at work, and a searcher."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from history.sources.elasticsearch_client import elastic_client
from kernel.clock import SystemClock
from search_indexer.searching.search import Searcher
from tests.pipeline import Pipeline, running

QUICK = {"TOUCHLINE_INDEXER_REFRESH_MS": "100"}


@pytest.fixture(scope="module")
def indexing(
    kafka_servers: str, elasticsearch_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pipeline]:
    logs: Path = tmp_path_factory.mktemp("indexing")
    with running(kafka_servers, elasticsearch_url, logs, "index", **QUICK) as started:
        yield started


@pytest.fixture
async def searcher(indexing: Pipeline) -> AsyncIterator[Searcher]:
    async with elastic_client(indexing.settings) as client:
        yield Searcher(client, indexing.settings, SystemClock())
