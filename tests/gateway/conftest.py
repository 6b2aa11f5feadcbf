"""A gateway as a process of its own, on the tests' Kafka."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipeline import Pipeline, running

#: Nothing listens there: what needs no Elasticsearch must not miss it.
NO_ELASTICSEARCH = "http://127.0.0.1:9"
SECRET = secrets.token_hex(32)


@pytest.fixture(scope="session")
def ingesting(kafka_servers: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """A gateway without keys, on loopback: everybody may do everything."""
    logs: Path = tmp_path_factory.mktemp("gateway")
    with running(kafka_servers, NO_ELASTICSEARCH, logs, "gateway") as pipeline:
        yield pipeline


@pytest.fixture(scope="session")
def guarded(kafka_servers: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """A gateway that asks for tokens."""
    logs: Path = tmp_path_factory.mktemp("guarded")
    with running(kafka_servers, NO_ELASTICSEARCH, logs, "gateway", TOUCHLINE_AUTH_SECRET=SECRET) as pipeline:
        yield pipeline
