"""What the roles say of their lag: nothing waits after a restart, and nobody says that something does."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition
from prometheus_client.parser import text_string_to_metric_families

from embedded.ports import find_free
from kernel.log.kafka import client_config
from kernel.log.lag import lags
from kernel.log.positions import Kind
from kernel.log.topics import outbox_group, topic_names
from kernel.process.probe import answers
from kernel.settings.reading import Settings
from tests.pipeline import ROOT, Pipeline, eventually, running

pytestmark = [pytest.mark.servers, pytest.mark.timeout(400)]
EVENTS = 300


@pytest.fixture(scope="module")
def started(
    kafka_servers: str, elasticsearch_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pipeline]:
    logs: Path = tmp_path_factory.mktemp("lag")
    given = {"TOUCHLINE_INDEXER_REFRESH_MS": "100"}
    with running(
        kafka_servers, elasticsearch_url, logs, "stream", "index", "edge", "outbox", **given
    ) as pipeline:
        lines = "\n".join('{"data":{"text":"old"}}' for _ in range(EVENTS))
        pipeline.run("publish", "chat:old", "-", stdin=lines)
        indexed = topic_names(pipeline.settings).events[Kind.CHAT]
        # A worker answers what it knows: there is a figure, and it is 0.
        eventually("all of it is indexed", lambda: watermark(pipeline, indexed) == EVENTS)
        yield pipeline


def samples(pipeline: Pipeline, role: str, metric: str) -> dict[str, float]:
    """By topic."""
    return samples_at(pipeline.health(role).replace("/healthz", "/metrics"), metric)


def samples_at(url: str, metric: str) -> dict[str, float]:
    """By topic."""
    with urlopen(url, timeout=60) as answer:
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


def all_is_settled(settings: Settings, topic: str) -> bool:
    """Whether the outbox has committed all that lies on a topic: what it has read, and told nobody of yet, it
    reads again after a restart, and then that does wait."""
    consumer = Consumer(client_config(settings, group_id=outbox_group(settings)))
    try:
        parts = [
            TopicPartition(topic, number)
            for number in consumer.list_topics(topic, timeout=60).topics[topic].partitions
        ]
        ends = {part.partition: consumer.get_watermark_offsets(part, timeout=60)[1] for part in parts}
        return all(at.offset == ends[at.partition] for at in consumer.committed(parts, timeout=60))
    finally:
        consumer.close()


@pytest.mark.parametrize("role", ["index", "stream", "edge", "outbox"])
def test_after_a_restart_nothing_waits_and_no_role_says_that_it_does(started: Pipeline, role: str) -> None:
    names = topic_names(started.settings)
    topics = {
        "index": names.events[Kind.CHAT],
        "stream": names.ingest[Kind.CHAT],
        "edge": names.fanout(Kind.CHAT),
        "outbox": names.events[Kind.CHAT],
    }
    topic = topics[role]
    if role == "outbox":
        read = [*names.events.values(), names.friends, names.changes]
        eventually(
            "it has nothing left to do",
            lambda: all(all_is_settled(started.settings, name) for name in read),
            within=180,
        )
    started.kill(role) if role == "index" else started.stop(role)
    started.start(role)
    told: list[float] = []

    def known() -> bool:
        lag = samples(started, role, "touchline_consumer_lag")
        told.extend(lag.values())
        return topic in lag

    eventually("it knows how far it is behind", known)
    if role == "edge":  # it has just read the latest events again, into its rings, and may have told of that
        lag = "touchline_consumer_lag"
        eventually("nothing waits", lambda: not any(samples(started, role, lag).values()))
    else:
        assert not any(told)


def test_workers_that_come_and_go_say_of_idle_partitions_that_nothing_waits(
    started: Pipeline, tmp_path: Path
) -> None:
    topic, port = topic_names(started.settings).ingest[Kind.CHAT], find_free()
    own = {"TOUCHLINE_STREAM_PORT": str(port), "TOUCHLINE_STATE_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    told: list[float] = []

    def of_the_second() -> bool:
        lag = samples_at(f"http://127.0.0.1:{port}/metrics", "touchline_consumer_lag")
        told.extend(lag.values())
        return topic in lag

    with (tmp_path / "log").open("wb") as log:
        second = subprocess.Popen(
            [sys.executable, "-m", "touchline", "stream"],
            cwd=tmp_path,
            env={**started.environment, **own},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        eventually(
            "the second is ready", lambda: answers(f"http://127.0.0.1:{port}/readyz", timeout=20), within=180
        )
        eventually("it knows how far it is behind", of_the_second)
        assert started.is_ready("stream")
        told += samples(started, "stream", "touchline_consumer_lag").values()
    finally:
        second.terminate()
        assert second.wait(120) == 0

    def has_all_again() -> bool:
        told.extend(samples(started, "stream", "touchline_consumer_lag").values())
        return started.is_ready("stream")

    eventually("the first has all again", has_all_again)
    assert not any(told)


def test_whoever_fetches_nothing_asks_how_much_waits(started: Pipeline) -> None:
    """As an indexer that waits for Elasticsearch does: what fetches told is old by then."""
    topic = topic_names(started.settings).rejected
    place = TopicPartition(topic, 0, OFFSET_BEGINNING)
    producer = Producer(client_config(started.settings))

    def write(count: int) -> None:
        for _ in range(count):
            producer.produce(topic, b"", partition=0)
        assert producer.flush(60) == 0

    consumer = Consumer(client_config(started.settings, group_id="asks", auto_offset_reset="earliest"))
    try:
        write(1)
        consumer.assign([place])
        eventually("it has read", lambda: consumer.poll(0.1) is None and lags(consumer)[topic].get(0) == 0)
        consumer.pause([place])
        write(7)
        assert lags(consumer, ask_s=60)[topic][0] == 7
    finally:
        consumer.close()
