"""A whole pipeline for those who follow, on the tests' servers; and an edge of a cell beside it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipeline import Pipeline, running


@pytest.fixture(scope="package")
def feeding(
    kafka_servers: str, elasticsearch_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pipeline]:
    """A worker, an edge of a cell (which reads a part of the fan-out), an indexer and a gateway."""
    logs: Path = tmp_path_factory.mktemp("feeding")
    given = {
        "TOUCHLINE_INDEXER_REFRESH_MS": "100",
        "TOUCHLINE_EDGE_CELL": "north",
        "TOUCHLINE_LIMITS_FOLLOWS_OF_A_USER": "20",
    }
    roles = ("stream", "edge", "index", "gateway")
    with running(kafka_servers, elasticsearch_url, logs, *roles, **given) as pipeline:
        yield pipeline
