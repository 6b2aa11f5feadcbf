"""A worker, a gateway and an edge that ask for tokens; the attachments lie in a directory."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.attachments.people import SECRET, Person
from tests.pipeline import Pipeline, running

NO_ELASTICSEARCH = "http://127.0.0.1:9"
#: What has to go is looked for twice a second.
QUICK = {"TOUCHLINE_ATTACHMENTS_SWEEP_S": "0.5", "TOUCHLINE_AUTH_SECRET": SECRET}


@pytest.fixture(scope="package")
def live(kafka_servers: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    logs: Path = tmp_path_factory.mktemp("attachments")
    given = {**QUICK, "TOUCHLINE_ATTACHMENTS_DIR": str(logs / "files")}
    with running(kafka_servers, NO_ELASTICSEARCH, logs, "stream", "gateway", "edge", **given) as pipeline:
        yield pipeline


@pytest.fixture
def ana(live: Pipeline) -> Person:
    return Person(live, "ana")


@pytest.fixture
def ben(live: Pipeline) -> Person:
    return Person(live, "ben")
