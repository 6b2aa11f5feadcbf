"""A worker, an edge and a gateway with a crowd, on the tests' servers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipeline import Pipeline, running

#: Nothing listens there: history comes from the log.
NO_ELASTICSEARCH = "http://127.0.0.1:9"


@pytest.fixture(scope="package")
def crowded(kafka_servers: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """They, without Elasticsearch."""
    logs: Path = tmp_path_factory.mktemp("crowded")
    with running(kafka_servers, NO_ELASTICSEARCH, logs, "stream", "edge", "gateway") as pipeline:
        yield pipeline
