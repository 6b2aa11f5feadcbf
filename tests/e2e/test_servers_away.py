"""Servers that are away, at the start or later: roles wait, say so under /readyz, and go on by themselves."""

import os
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from elasticsearch import ApiError, Elasticsearch, TransportError

from embedded.backends.servers import Servers
from kernel.process.probe import answers
from tests.pipeline import Pipeline, eventually

pytestmark = [pytest.mark.servers, pytest.mark.slow, pytest.mark.timeout(900)]
ROLES = ("stream", "edge", "index", "gateway")


def test_roles_outlive_their_servers_and_say_what_is_missing(
    make_servers: Callable[..., Servers], tmp_path: Path
) -> None:
    servers = make_servers()
    servers.kafka.start()
    pipeline = Pipeline(servers.bootstrap_servers, servers.elasticsearch_url, tmp_path)
    try:
        servers.kafka.kill()
        for role in ROLES:
            pipeline.launch(role)
        for role in ROLES:  # they listen for the operator, and wait
            eventually(f"{role} is live", lambda role=role: answers(pipeline.health(role)), within=180)  # type: ignore[misc]
            assert not pipeline.is_ready(role)

        servers.start()
        all_ready(pipeline)
        pipeline.run("publish", "chat:away", "--text", "before")
        assert texts(pipeline, 1) == ["before"]

        servers.kafka.kill()
        for role in ROLES:
            eventually(f"{role} misses Kafka", lambda role=role: not pipeline.is_ready(role), within=120)  # type: ignore[misc]
            eventually(f"{role} is live", lambda role=role: answers(pipeline.health(role)))  # type: ignore[misc]
        servers.kafka.start()
        all_ready(pipeline)
        pipeline.run("publish", "chat:away", "--text", "between")
        assert texts(pipeline, 2) == ["before", "between"]

        elasticsearch = Elasticsearch(servers.elasticsearch_url, request_timeout=60)
        elasticsearch.index(index="kept", id="1", document={"text": "kick-off"}, refresh="wait_for")
        servers.elasticsearch.kill()
        eventually("index misses Elasticsearch", lambda: not pipeline.is_ready("index"), within=120)
        pipeline.run("publish", "chat:away", "--text", "after")
        assert texts(pipeline, 3) == ["before", "between", "after"]  # viewers do not need the index
        servers.elasticsearch.start()
        eventually("what was indexed is there", lambda: counted(elasticsearch) == 1, within=120)
        if os.geteuid() == 0:
            assert servers.elasticsearch.pid is not None
            assert psutil.Process(servers.elasticsearch.pid).uids().effective != 0
        all_ready(pipeline)
        eventually("the search finds it", lambda: pipeline.lines("search", "after")[0]["hits"], within=120)
    finally:
        pipeline.close()


def counted(elasticsearch: Elasticsearch) -> int | None:
    """How many documents there are; None: their shard is not there yet."""
    try:
        return int(elasticsearch.count(index="kept", q="text:kick")["count"])
    except (ApiError, TransportError):
        return None


def all_ready(pipeline: Pipeline) -> None:
    for role in ROLES:
        eventually(f"{role} is ready", lambda role=role: pipeline.is_ready(role), within=180)  # type: ignore[misc]


def texts(pipeline: Pipeline, count: int) -> list[str]:
    watched = pipeline.lines("watch", "chat:away", "--last", "10", "--count", str(count), "--for", "40s")
    return [event["data"]["text"] for event in watched]
