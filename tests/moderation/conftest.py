"""All roles, on the tests' servers: one pipeline for all tests of moderation."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipeline import Pipeline, running
from tests.search_indexer.conftest import QUICK


@pytest.fixture(scope="package")
def ruled(
    kafka_servers: str, elasticsearch_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pipeline]:
    logs: Path = tmp_path_factory.mktemp("ruled")
    roles = ("stream", "index", "edge", "gateway")
    few = {"TOUCHLINE_LIMITS_ROOMS_OF_A_USER": "8"}
    with running(kafka_servers, elasticsearch_url, logs, *roles, **QUICK, **few) as pipeline:
        yield pipeline
