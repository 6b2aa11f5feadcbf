"""A pipeline of workers against the tests' Kafka."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipeline import Pipeline, running


@pytest.fixture
def pipeline(kafka_servers: str, tmp_path: Path) -> Iterator[Pipeline]:
    """One worker, ready. Nothing here asks Elasticsearch."""
    with running(kafka_servers, "http://127.0.0.1:9", tmp_path, "stream") as made:
        yield made
