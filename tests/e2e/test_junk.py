"""Junk on every topic, before roles start and while they run: each goes on, and the next event flows."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import psutil
import pytest
from confluent_kafka import Producer

from chaos.siege.attackers.attack import Put
from chaos.siege.attackers.on_the_log import TOPICS, hostile_channels, hostile_commands, junk
from chaos.siege.strike import topic_of
from kernel.log.kafka import client_config
from kernel.log.topics import MAX_RECORD_BYTES
from tests.pipeline import Pipeline, eventually, running
from tests.search_indexer.conftest import QUICK

ROLES = ("stream", "edge", "index", "gateway")


def spoil(pipeline: Pipeline, topic: str) -> None:
    """All the junk there is for a topic, in each of its partitions."""
    given = client_config(pipeline.settings, message_max_bytes=MAX_RECORD_BYTES)
    producer, name = Producer(given), topic_of(pipeline.settings.topics.prefix, topic)
    for partition in producer.list_topics(name, timeout=60).topics[name].partitions:
        for key, value in junk(topic):
            producer.produce(name, value, key, partition)
    extra: dict[str, list[Put]] = {"channels": hostile_channels(), "control": hostile_commands("foe-log")}
    for put in extra.get(topic, []):
        producer.produce(name, put.value, put.key)
    assert producer.flush(60) == 0


def post(pipeline: Pipeline, text: str) -> None:
    body = json.dumps({"data": {"text": text}}).encode()
    url = f"{pipeline.gateway_url}/v1/streams/chat/canary/events"
    with urlopen(Request(url, body, {"Content-Type": "application/json"}), timeout=60) as answer:
        assert answer.status == 202


def asked(url: str) -> Any:
    """What a role answers; {}: it says that others are too slow for it just now."""
    try:
        with urlopen(url, timeout=60) as answer:
            return json.load(answer)
    except HTTPError as error:
        with error:
            if error.code != 503:
                raise
        return {}


def flows(pipeline: Pipeline, text: str) -> None:
    """An event is posted, and comes by an edge, in history, and in search."""
    post(pipeline, text)
    past = f"{pipeline.gateway_url}/v1/streams/chat/canary/events?limit=500"
    eventually("it is in history", lambda: text in str(asked(past)))
    poll = f"{pipeline.edge_url.replace('ws:', 'http:').replace('/ws', '/poll')}?stream=chat:canary&last=50"
    eventually("an edge shows it", lambda: text in str(asked(poll)))
    found = f"{pipeline.gateway_url}/v1/search?q={text}&channel=canary"
    eventually("search finds it", lambda: asked(found).get("hits"))


def processes(pipeline: Pipeline) -> dict[str, int]:
    """Role -> its process, each of which lives."""
    found = {role: pipeline.pid(role) for role in ROLES}
    for role, pid in found.items():
        assert psutil.Process(pid).status() != psutil.STATUS_ZOMBIE, f"{role} ended:\n{pipeline.log(role)}"
    return found


@pytest.fixture(scope="module")
def spoilt(
    kafka_servers: str, elasticsearch_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pipeline]:
    """All roles, started on topics that hold nothing but junk."""
    logs: Path = tmp_path_factory.mktemp("junk")
    with running(kafka_servers, elasticsearch_url, logs, **QUICK) as pipeline:
        for topic in TOPICS:
            spoil(pipeline, topic)
        for role in ROLES:  # one after the other: each has its minute
            pipeline.start(role)
        yield pipeline


def test_every_role_starts_on_topics_full_of_junk(spoilt: Pipeline) -> None:
    flows(spoilt, "begun")


@pytest.mark.parametrize("topic", TOPICS)
def test_junk_on_a_topic_ends_no_role_and_delays_nobody(spoilt: Pipeline, topic: str) -> None:
    before = processes(spoilt)
    spoil(spoilt, topic)
    flows(spoilt, f"after{topic.replace('.', '').replace('_', '')}")
    assert processes(spoilt) == before


def test_a_worker_that_takes_partitions_over_passes_junk_over_and_says_so(spoilt: Pipeline) -> None:
    spoilt.kill("stream")
    spoilt.start("stream")
    flows(spoilt, "takenover")
    # It takes over one partition after the other: the junk of some comes after the event that flowed.
    said = "is no event, and is passed over"
    eventually("it says so", lambda: said in spoilt.whole_log("stream"))
    eventually("it counts it", lambda: metric(spoilt, "stream", "touchline_skipped_total") > 0)
    assert metric(spoilt, "stream", "touchline_failed_total") == 0, "nothing that nobody has thought of"


def metric(pipeline: Pipeline, role: str, name: str) -> float:
    with urlopen(pipeline.health(role).replace("healthz", "metrics"), timeout=60) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))
