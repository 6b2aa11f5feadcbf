"""What the roles say of their lag: nothing waits after a restart, and nobody says that something does."""

from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from kernel.log.positions import Kind
from kernel.log.topics import topic_names
from tests.pipeline import Pipeline, eventually, running

pytestmark = [pytest.mark.servers, pytest.mark.timeout(300)]
EVENTS = 300


@pytest.fixture(scope="module")
def started(
    kafka_servers: str, elasticsearch_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pipeline]:
    logs: Path = tmp_path_factory.mktemp("lag")
    given = {"TOUCHLINE_INDEXER_REFRESH_MS": "100"}
    with running(kafka_servers, elasticsearch_url, logs, "stream", "index", **given) as pipeline:
        lines = "\n".join('{"data":{"text":"old"}}' for _ in range(EVENTS))
        pipeline.run("publish", "chat:old", "-", stdin=lines)
        indexed = topic_names(pipeline.settings).events[Kind.CHAT]
        # A worker answers what it knows: there is a figure, and it is 0.
        eventually("all of it is indexed", lambda: watermark(pipeline, indexed) == EVENTS)
        yield pipeline


def samples(pipeline: Pipeline, role: str, metric: str) -> dict[str, float]:
    """By topic."""
    with urlopen(pipeline.health(role).replace("/healthz", "/metrics"), timeout=10) as answer:
        text = answer.read().decode()
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == metric:
                topic = sample.labels["topic"]
                found[topic] = found.get(topic, 0) + sample.value
    return found


def watermark(pipeline: Pipeline, topic: str) -> float | None:
    return samples(pipeline, "index", "touchline_index_watermark").get(topic)


@pytest.mark.parametrize("role", ["index", "stream"])
def test_after_a_restart_nothing_waits_and_no_role_says_that_it_does(started: Pipeline, role: str) -> None:
    names = topic_names(started.settings)
    topic = names.events[Kind.CHAT] if role == "index" else names.ingest[Kind.CHAT]
    started.kill(role) if role == "index" else started.stop(role)
    started.start(role)
    told: list[float] = []

    def known() -> bool:
        lag = samples(started, role, "touchline_consumer_lag")
        told.extend(lag.values())
        return topic in lag

    eventually("it knows how far it is behind", known)
    assert not any(told)
