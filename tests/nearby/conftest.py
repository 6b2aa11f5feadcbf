"""A worker, an edge and a gateway with friends who move, on the tests' servers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipeline import Pipeline, running

#: How many fences one user of these tests may make.
FENCES = 5
#: And how many friends one may have.
FRIENDS = 40
#: Who says nothing for so long is not there any more: long enough for what a test asks meanwhile.
INACTIVE_S = 12
#: Nothing listens there: history comes from the log.
NO_ELASTICSEARCH = "http://127.0.0.1:9"


@pytest.fixture(scope="package")
def walking(kafka_servers: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """A worker, an edge and a gateway, without Elasticsearch."""
    logs: Path = tmp_path_factory.mktemp("walking")
    given = {"TOUCHLINE_NEARBY_INACTIVE_S": str(INACTIVE_S), "TOUCHLINE_NEARBY_MAX_SPEED_M_S": "4000000"}
    given["TOUCHLINE_NEARBY_MAX_FENCES_OF_A_USER"] = str(FENCES)
    given["TOUCHLINE_NEARBY_MAX_FRIENDS"] = str(FRIENDS)
    with running(kafka_servers, NO_ELASTICSEARCH, logs, "stream", "edge", "gateway", **given) as pipeline:
        yield pipeline
