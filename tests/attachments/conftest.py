"""A worker, a gateway and an edge that ask for tokens; the attachments lie in a directory, or in a bucket."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.attachments.people import SECRET, Person
from tests.attachments.s3proxy import BUCKET, KEY, SECRET_KEY, running_s3
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


@pytest.fixture(scope="package")
def in_a_bucket(kafka_servers: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """Without an edge: edges know nothing of stores."""
    logs: Path = tmp_path_factory.mktemp("bucket")
    with running_s3(logs) as url:
        given = {
            **QUICK,
            "TOUCHLINE_ATTACHMENTS_STORE": "s3",
            "TOUCHLINE_ATTACHMENTS_S3_BUCKET": BUCKET,
            "TOUCHLINE_ATTACHMENTS_S3_ENDPOINT": url,
            "TOUCHLINE_ATTACHMENTS_S3_ACCESS_KEY": KEY,
            "TOUCHLINE_ATTACHMENTS_S3_SECRET_KEY": SECRET_KEY,
        }
        with running(kafka_servers, NO_ELASTICSEARCH, logs, "stream", "gateway", **given) as pipeline:
            yield pipeline


@pytest.fixture(params=["live", "in_a_bucket"], ids=["directory", "s3"])
def anywhere(request: pytest.FixtureRequest) -> Pipeline:
    """Whatever the store, what holds is the same."""
    found: Pipeline = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def person(anywhere: Pipeline) -> Callable[[str], Person]:
    """Somebody there."""
    return lambda user: Person(anywhere, user)


@pytest.fixture
def ana(live: Pipeline) -> Person:
    return Person(live, "ana")


@pytest.fixture
def ben(live: Pipeline) -> Person:
    return Person(live, "ben")
