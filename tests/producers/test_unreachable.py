"""Where no server answers, commands and producers say so within seconds, in one sentence that helps."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from confluent_kafka import KafkaError
from msgspec.structs import replace

from kernel.errors import TouchlineError
from kernel.settings.reading import PREFIX, Settings, load_settings
from producers import Chat, Producer, SomeNotDelivered, SyncProducer
from producers.sending.reachability import Contact
from tests.pipeline import ROOT

NOWHERE = {
    "TOUCHLINE_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
    "TOUCHLINE_ELASTICSEARCH_URL": "http://127.0.0.1:1",
    "TOUCHLINE_GATEWAY_PORT": "1",
    "TOUCHLINE_EDGE_PORT": "1",
    "TOUCHLINE_PRODUCER_CONNECT_TIMEOUT_S": "1",
    "TOUCHLINE_PRODUCER_DELIVERY_TIMEOUT_S": "200",
}
RECORDED = json.dumps({"stream": "chat:a", "data": {"text": "x"}})
#: Command -> how its sentence begins.
COMMANDS = {
    ("publish", "chat:a", "-"): "Kafka does not answer at 127.0.0.1:1.",
    ("replay", "recorded.ndjson"): "Kafka does not answer at 127.0.0.1:1.",
    ("simulate", "a", "--for", "1"): "Kafka does not answer at 127.0.0.1:1.",
    ("rejected",): "Kafka does not answer at 127.0.0.1:1.",
    ("token", "ana", "--revoke"): "Kafka does not answer at 127.0.0.1:1.",
    ("channel", "set", "a", "slow_s=5"): "Kafka does not answer at 127.0.0.1:1.",
    ("watch", "chat:a"): "No edge answers at ws://127.0.0.1:1/v1/ws.",
    ("search", "goal"): "No gateway answers at http://127.0.0.1:1, and Elasticsearch does not at",
}
WITH_JSON = ("publish", "chat:a", "-", "--json")


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[tuple[str, ...], tuple[int, str, str]]]:
    """What each command says, plainly and with --json: all at once, for they mostly wait."""
    folder = tmp_path_factory.mktemp("nowhere")
    (folder / "recorded.ndjson").write_text(RECORDED)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(PREFIX)}
    began = time.monotonic()
    running = {
        arguments: subprocess.Popen(
            [sys.executable, "-m", "touchline", *arguments],
            cwd=folder,
            env={**kept, **NOWHERE, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for arguments in (*COMMANDS, WITH_JSON)
    }
    try:
        found = {}
        for arguments, process in running.items():
            out, err = process.communicate(RECORDED, timeout=300)
            found[arguments] = process.returncode, out, err
        # Nine of them start at once, which is much for a machine that is busy; what they would wait without
        # a first answer's own limit is longer.
        assert time.monotonic() - began < 100
        yield found
    finally:
        for process in running.values():
            process.kill()
            process.wait()


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_says_in_a_sentence_which_server_does_not_answer(
    said: dict[tuple[str, ...], tuple[int, str, str]], command: tuple[str, ...]
) -> None:
    code, out, err = said[command]
    assert (code, out) == (1, "")
    [line] = err.splitlines()
    assert line.startswith(f"touchline: {COMMANDS[command]}")
    assert "touchline up" in line


def test_with_json_the_error_is_an_object(said: dict[tuple[str, ...], tuple[int, str, str]]) -> None:
    code, out, err = said[WITH_JSON]
    assert (code, out) == (1, "")
    error = json.loads(err)
    assert error["code"] == "unavailable"
    assert error["message"].startswith("Kafka does not answer at 127.0.0.1:1. Start it with")


@pytest.fixture
def nowhere() -> Settings:
    return load_settings(NOWHERE)


async def test_what_waits_for_a_first_answer_fails_long_before_the_delivery_timeout(
    nowhere: Settings,
) -> None:
    async with asyncio.timeout(60), Producer(nowhere) as producer:
        with pytest.raises(TouchlineError, match=r"Kafka does not answer at 127\.0\.0\.1:1\.") as alone:
            await producer.chat("a", "x")
        assert alone.value.code == "unavailable"
        with pytest.raises(SomeNotDelivered) as many:
            await producer.send_many(Chat("a", str(n)) for n in range(3))
    assert [failure.error.code for failure in many.value.failures] == ["unavailable"] * 3


def test_threads_are_told_the_same(nowhere: Settings) -> None:
    with SyncProducer(nowhere) as producer:
        with pytest.raises(TouchlineError, match="does not answer"):
            producer.connected()
        with pytest.raises(TouchlineError, match="does not answer"):
            producer.chat("a", "x")


def test_the_reason_is_told_where_the_client_knows_one(nowhere: Settings) -> None:
    contact = Contact(replace(nowhere, producer=replace(nowhere.producer, connect_timeout_s=0.01)))
    for number, text in (
        (
            KafkaError._RESOLVE,
            "b:9/bootstrap: Failed to resolve 'b:9': Unknown name (after 5ms in state CONNECT)",
        ),
        (KafkaError._ALL_BROKERS_DOWN, "1/1 brokers are down"),
    ):
        contact.note(KafkaError(number, text))
    with pytest.raises(
        TouchlineError, match=r"at 127\.0\.0\.1:1 \(Failed to resolve 'b:9': Unknown name\)\. Start"
    ):
        contact.wait()


async def test_a_server_that_accepts_and_says_nothing_is_not_kafka() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        settings = load_settings({**NOWHERE, "TOUCHLINE_KAFKA_BOOTSTRAP_SERVERS": address})
        async with asyncio.timeout(60), Producer(settings) as producer:
            with pytest.raises(TouchlineError, match="does not answer"):
                await producer.connected()
