"""Events of any Kafka client flow as the SDK's do; what cannot be read is a rejection, and nothing stops."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from confluent_kafka import Consumer, Producer, TopicPartition

from embedded.backends import artifacts
from embedded.backends.pins import load
from kernel.clock import to_rfc3339
from kernel.log.kafka import client_config
from kernel.log.positions import Kind, partition_of
from kernel.log.topics import topic_names
from producers.rejections import post_again, read_refusals
from schemas.codec import Codec
from tests.pipeline import Pipeline, eventually, running
from tests.servers import servers_dir

NO_ELASTICSEARCH = "http://127.0.0.1:9"
#: Enough that clients with another partitioner put records elsewhere.
PARTITIONS = 4


@pytest.fixture(scope="module")
def worked(kafka_servers: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """Topics with a worker on them."""
    logs: Path = tmp_path_factory.mktemp("worker")
    given = {"TOUCHLINE_TOPICS_PARTITIONS": str(PARTITIONS)}
    with running(kafka_servers, NO_ELASTICSEARCH, logs, "stream", **given) as pipeline:
        yield pipeline


class Tail:
    """What a topic holds, read on with each call."""

    def __init__(self, pipeline: Pipeline, topic: str, schema: str) -> None:
        self._consumer = Consumer(client_config(pipeline.settings, group_id="tests"))
        self._consumer.assign([TopicPartition(topic, number, 0) for number in range(PARTITIONS)])
        self._codec = Codec(schema)
        self._found: list[dict[str, Any]] = []

    def read(self) -> list[dict[str, Any]]:
        for message in self._consumer.consume(1000, timeout=0.2):
            assert message.error() is None
            self._found.append(
                {**self._codec.decode(message.value() or b""), "_partition": message.partition()}
            )
        return self._found

    def wait(self, what: str, wanted: Callable[[dict[str, Any]], bool], count: int) -> list[dict[str, Any]]:
        def enough() -> list[dict[str, Any]] | None:
            found = [record for record in self.read() if wanted(record)]
            return found if len(found) >= count else None

        return eventually(what, enough, within=60)

    def close(self) -> None:
        self._consumer.close()


@pytest.fixture
def events(worked: Pipeline) -> Iterator[Tail]:
    tail = Tail(worked, topic_names(worked.settings).events[Kind.CHAT], "event-chat")
    yield tail
    tail.close()


@pytest.fixture
def rejections(worked: Pipeline) -> Iterator[Tail]:
    tail = Tail(worked, topic_names(worked.settings).rejected, "rejection")
    yield tail
    tail.close()


def chat(text: str) -> str:
    return json.dumps({"sender": "ana", "data": {"text": text}}, ensure_ascii=False)


def with_kcat(pipeline: Pipeline, topic: str, channel: str, values: list[str]) -> None:
    """kcat with its own partitioner, which puts records elsewhere: the worker puts them back."""
    if shutil.which("kcat") is None:
        pytest.skip("kcat is not installed (Debian: apt-get install kcat)")
    subprocess.run(
        ["kcat", "-P", "-b", pipeline.settings.kafka.bootstrap_servers, "-t", topic, "-k", channel],
        input="\n".join(values),
        text=True,
        check=True,
        timeout=180,
    )


def with_java(pipeline: Pipeline, topic: str, channel: str, values: list[str]) -> None:
    """Kafka's console producer, on the Java runtime and the jars that the embedded broker has."""
    from jgo.maven import MavenContext

    kafka = load()["kafka"]
    tools = (
        MavenContext(timeout=180)
        .project("org.apache.kafka", "kafka-tools")
        .at_version(kafka.version)
        .artifact()
    )
    jars = artifacts.install(servers_dir(), ["kafka"])["kafka"]
    subprocess.run(
        [
            *(artifacts.java_home() / "bin" / "java", "-cp", f"{tools.resolve()}:{jars}/*"),
            *("org.apache.kafka.tools.ConsoleProducer", "--topic", topic),
            *("--bootstrap-server", pipeline.settings.kafka.bootstrap_servers),
            *("--reader-property", "parse.key=true", "--reader-property", "key.separator=|"),
        ],
        input="".join(f"{channel}|{value}\n" for value in values),
        text=True,
        check=True,
        timeout=180,
        capture_output=True,
    )


async def with_aiokafka(pipeline: Pipeline, topic: str, channel: str, values: list[str]) -> None:
    async with AIOKafkaProducer(bootstrap_servers=pipeline.settings.kafka.bootstrap_servers) as producer:
        for value in values:
            await producer.send_and_wait(topic, value.encode(), channel.encode())


@pytest.mark.parametrize("client", ["kcat", "aiokafka", "java"])
async def test_json_of_any_client_flows_through(client: str, worked: Pipeline, events: Tail) -> None:
    topic, channel = topic_names(worked.settings).ingest[Kind.CHAT], f"from-{client}"
    values = [chat(f"Olé {number}") for number in range(20)]
    match client:
        case "kcat":
            with_kcat(worked, topic, channel, values)
        case "java":
            with_java(worked, topic, channel, values)
        case _:
            await with_aiokafka(worked, topic, channel, values)
    found = events.wait(f"20 events of {client}", lambda event: event["channel"] == channel, 20)
    assert [event["data"]["text"] for event in sorted(found, key=lambda e: e["seq"])] == [
        f"Olé {number}" for number in range(20)
    ]
    assert {event["_partition"] for event in found} == {partition_of(channel, PARTITIONS)}
    assert len({event["id"] for event in found}) == 20


AVRO = Codec("ingest-chat")
GOOD = AVRO.encode({"data": {"text": "good"}})
NAN = Codec("ingest-location").encode({"data": {"lat": float("nan"), "lon": 1.0}})
FRAME = len(json.dumps({"data": {"text": ""}}))
REFUSED: dict[str, tuple[Kind, bytes, str]] = {
    "truncated Avro": (Kind.CHAT, GOOD[:-3], "undecodable"),
    "unknown schema id": (Kind.CHAT, b"\0\0\0\x03\xe7" + GOOD[5:], "unknown_schema"),
    "another kind's schema": (Kind.CHAT, NAN, "unknown_schema"),
    "wrong UTF-8": (Kind.CHAT, b'{"data":{"text":"\xff\xfe"}}', "undecodable"),
    "wrong UTF-8 in Avro": (Kind.CHAT, GOOD.replace(b"good", b"\xff\xfe\xfd\xfc"), "undecodable"),
    "NaN coordinates": (Kind.LOCATION, NAN, "invalid_event"),
    "NaN in JSON": (Kind.LOCATION, b'{"data":{"lat":NaN,"lon":1}}', "undecodable"),
    "a year 9999": (
        Kind.CHAT,
        b'{"client_ts":"9999-01-01T00:00:00Z","data":{"text":"x"}}',
        "invalid_event",
    ),
    "1 MiB + 1 byte": (
        Kind.CHAT,
        json.dumps({"data": {"text": "x" * (1024 * 1024 + 1 - FRAME)}}).encode(),
        "too_large",
    ),
    "nested 10,000 deep": (
        Kind.BROADCAST,
        b'{"type":"x","data":' + b'{"a":' * 10_000 + b"1" + b"}" * 10_000 + b"}",
        "invalid_event",
    ),
    "an empty value": (Kind.CHAT, b"", "undecodable"),
    "no JSON object": (Kind.CHAT, b"[1,2]", "undecodable"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_taken_is_one_rejection_and_the_next_event_flows(
    name: str, worked: Pipeline, rejections: Tail
) -> None:
    kind, value, reason = REFUSED[name]
    names, channel = topic_names(worked.settings), f"refused-{list(REFUSED).index(name)}"
    after = json.dumps({"type": "x", "data": {"text": "after", "lat": 1, "lon": 2}}).encode()
    producer = Producer(
        client_config(worked.settings, partitioner="murmur2_random", message_max_bytes=2_000_000)
    )
    producer.produce(names.ingest[kind], value, channel)
    producer.produce(names.ingest[kind], after, channel)
    assert producer.flush(60) == 0
    [rejection] = rejections.wait(name, lambda said: said["record_key"] == channel.encode(), 1)
    assert rejection["reason"] == reason
    assert rejection["value"] == value
    assert rejection["message"].endswith(".")
    assert (rejection["topic"], rejection["partition"]) == (
        names.ingest[kind],
        partition_of(channel, PARTITIONS),
    )
    accepted = Tail(worked, names.events[kind], f"event-{kind}")
    try:
        accepted.wait("the next event", lambda event: event["channel"] == channel, 1)
    finally:
        accepted.close()


def test_the_command_lists_shows_and_retries(worked: Pipeline, rejections: Tail) -> None:
    topic = topic_names(worked.settings).ingest[Kind.CHAT]
    producer = Producer(client_config(worked.settings, partitioner="murmur2_random"))
    producer.produce(topic, b"not an event", "for-the-command")
    assert producer.flush(60) == 0
    mine = ("rejected", "--channel", "for-the-command")
    rejections.wait("the rejection", lambda said: said["record_key"] == b"for-the-command", 1)
    [said] = worked.lines(*mine)
    assert (said["reason"], said["record_key"]) == ("undecodable", "for-the-command")
    place = f"{said['topic']}/{said['partition']}/{said['offset']}"
    assert place in worked.run(*mine).stdout
    assert "not an event" in worked.run("rejected", "--show", place).stdout
    missing = worked.run("rejected", "--show", f"{topic}/0/99999999", check=False)
    assert (missing.returncode, missing.stdout) == (1, "")
    assert "1 put back" in worked.run(*mine, "--retry").stdout
    rejections.wait(
        "its second rejection",
        lambda said: said["record_key"] == b"for-the-command" and said["reason"] == "undecodable",
        2,
    )


def test_what_was_refused_is_put_back_once_however_often_one_asks(worked: Pipeline, rejections: Tail) -> None:
    events = Tail(worked, topic_names(worked.settings).events[Kind.CHAT], "event-chat")
    posted: list[str] = []

    def post() -> str:
        posted.append(f"a spoiler {len(posted)}")
        worked.run("publish", "chat:retried", "--text", posted[-1], "--sender", "ana")
        return posted[-1]

    def accepted() -> list[str]:
        return [event["data"]["text"] for event in events.read() if event["channel"] == "retried"]

    def refused() -> list[dict[str, Any]]:
        return [said for said in read_refusals(worked.settings) if said["record_key"] == b"retried"]

    def is_refused() -> bool:
        text = post()
        eventually("it is judged", lambda: len(accepted()) + len(refused()) == len(posted))
        return text not in accepted()

    try:
        worked.run("channel", "set", "retried", 'blocked=["spoiler"]')
        eventually("the word is blocked", is_refused)
        worked.run("channel", "set", "retried", "blocked=[]")
        eventually("the word is allowed", lambda: not is_refused())
        found, mine = refused(), ("rejected", "--channel", "retried", "--last", "1000")
        listed = worked.run(*mine).stdout
        assert f"{to_rfc3339(found[-1]['append_ts'])} " in listed
        assert " ana " in listed
        assert f"{len(found)} put back\n" in worked.run(*mine, "--retry").stdout
        assert f"0 put back; {len(found)} had been before" in worked.run(*mine, "--retry").stdout
        assert all("retried_at" in said for said in worked.lines(*mine))
        # Somebody else has looked before, and asks now; or one died before leaving a mark.
        assert post_again(worked.settings, found) == len(found)
        last = post()
        eventually("what comes behind", lambda: last in accepted())
        assert sorted(accepted()) == sorted(posted)
    finally:
        events.close()
