"""Two pipelines on one Kafka and one Elasticsearch, apart by their prefixes: neither sees the other's."""

import json
from functools import partial
from pathlib import Path
from urllib.request import urlopen

import pytest
from confluent_kafka.admin import AdminClient

from kernel.log.kafka import client_config
from kernel.log.positions import Kind
from kernel.log.topics import indexer_group, worker_group
from tests.pipeline import Pipeline, eventually
from tests.search_indexer.conftest import QUICK
from tests.streams.log import Log

pytestmark = [pytest.mark.servers, pytest.mark.slow]
ROLES = ("stream", "index", "edge", "gateway")


def texts(pipeline: Pipeline) -> list[str]:
    """What history has of the chat, as the gateway tells it."""
    with urlopen(f"{pipeline.gateway_url}/v1/streams/chat/final/events?limit=50", timeout=60) as answer:
        return [event["data"]["text"] for event in json.load(answer)["events"]]


def is_blocked(pipeline: Pipeline, words: list[str]) -> bool:
    return bool(pipeline.lines("channel", "show", "final")[0]["settings"]["blocked"] == words)


def found(pipeline: Pipeline) -> list[str]:
    (answer,) = pipeline.lines("search", "goal")
    return [hit["event"]["data"]["text"] for hit in answer["hits"]]


def test_neither_sees_the_others_events(kafka_servers: str, elasticsearch_url: str, tmp_path: Path) -> None:
    # The same name of a cell: its consumer group is another one all the same.
    given = {**QUICK, "TOUCHLINE_EDGE_CELL": "a"}
    both = [Pipeline(kafka_servers, elasticsearch_url, tmp_path, **given) for _ in range(2)]
    try:
        for pipeline in both:
            for role in ROLES:  # one after the other: they are many for two cores
                pipeline.start(role)
        for pipeline in both:
            pipeline.run("publish", "chat:final", "--text", f"goal of {pipeline.name}")
            pipeline.run("channel", "set", "final", f'blocked=["{pipeline.name}"]')
        for pipeline in both:
            own = [f"goal of {pipeline.name}"]
            eventually("it is found", lambda pipeline=pipeline: found(pipeline))  # type: ignore[misc]
            assert (texts(pipeline), found(pipeline)) == (own, own)
            seen = pipeline.lines("watch", "chat:final", "--last", "10", "--count", "1", "--for", "50s")
            assert [event["data"]["text"] for event in seen if "data" in event] == own
            log = Log(pipeline.settings)
            channels = {e["channel"] for e in log.values(log.names.events[Kind.CHAT], "event-chat")}
            assert channels == {"final"}
            eventually("its setting is its own", partial(is_blocked, pipeline, [pipeline.name]))
        admin = AdminClient(client_config(both[0].settings))
        groups = {group.group_id for group in admin.list_consumer_groups().result().valid}
        for pipeline in both:
            settings = pipeline.settings
            assert worker_group(settings) == f"{pipeline.name}-stream"
            assert {worker_group(settings), indexer_group(settings), f"{pipeline.name}-cell-a"} <= groups
    finally:
        for pipeline in both:
            pipeline.close()
