"""Gateways as processes of their own, on the tests' Kafka; one beside an indexer and Elasticsearch."""

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from kernel.log.positions import Kind
from tests.accepted import chat, write
from tests.pipeline import Pipeline, eventually, running
from tests.search_indexer.conftest import QUICK

#: Nothing listens there: what needs no Elasticsearch must not miss it.
NO_ELASTICSEARCH = "http://127.0.0.1:9"
SECRET = secrets.token_hex(32)


@pytest.fixture(scope="package")
def ingesting(kafka_servers: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """A gateway without keys, on loopback: everybody may do everything."""
    logs: Path = tmp_path_factory.mktemp("gateway")
    with running(kafka_servers, NO_ELASTICSEARCH, logs, "gateway") as pipeline:
        yield pipeline


@pytest.fixture(scope="package")
def guarded(kafka_servers: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """A gateway that asks for tokens."""
    logs: Path = tmp_path_factory.mktemp("guarded")
    with running(kafka_servers, NO_ELASTICSEARCH, logs, "gateway", TOUCHLINE_AUTH_SECRET=SECRET) as pipeline:
        yield pipeline


@pytest.fixture(scope="package")
def live(kafka_servers: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """A worker, and a gateway without keys."""
    logs: Path = tmp_path_factory.mktemp("live")
    with running(kafka_servers, NO_ELASTICSEARCH, logs, "stream", "gateway") as pipeline:
        url = f"{pipeline.gateway_url}/v1/streams/chat/before/events"
        asked = Request(url, b'{"data":{"text":"?"}}', {"Content-Type": "application/json"})

        def known() -> bool:
            with urlopen(asked, timeout=60) as answer:
                return "seq" in json.load(answer)["results"][0]

        eventually("the gateway knows what the worker has said of the topics", known)
        yield pipeline


@pytest.fixture(scope="package")
def asked(
    kafka_servers: str, elasticsearch_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pipeline]:
    """A gateway that asks for tokens, and an indexer; in each room somebody has said the same."""
    from tests.gateway.asking import OFFSETS, ROOMS, token

    logs: Path = tmp_path_factory.mktemp("asked")
    given = {**QUICK, "TOUCHLINE_AUTH_SECRET": SECRET}
    with running(kafka_servers, elasticsearch_url, logs, "index", "gateway", **given) as pipeline:
        said = [chat(room, next(OFFSETS), f"password of {room}", sender=room) for room in ROOMS]
        write(pipeline.settings, Kind.CHAT, said)

        def found() -> bool:
            asked = ("search", "password", "--token", token("root"), "--json")
            done = pipeline.run(*asked, check=False)  # the index may not answer in time
            return done.returncode == 0 and json.loads(done.stdout)["total"] == len(ROOMS)

        eventually("what was said is found", found)
        yield pipeline
