"""Alerts over HTTP: saved by those who may publish to their stream, about what those may search."""

import asyncio
import time
from typing import Any

import msgspec
import psutil
import pytest

from kernel.clock import SystemClock
from kernel.log.positions import Kind
from kernel.log.topics import topic_names
from schemas.codec import Codec
from tests.accepted import chat, write, writer
from tests.gateway.asking import OFFSETS, ask, token
from tests.history.test_epochs import DEFAULTS
from tests.pipeline import Pipeline, eventually
from tests.search_indexer.reading import records

pytestmark = [pytest.mark.servers, pytest.mark.timeout(240)]


async def test_alerts_are_set_shown_and_removed_by_those_who_may(asked: Pipeline) -> None:
    ana = token("ana", publish=("broadcast:alert-ana-*",), search=("chat:open",))
    path, body = (
        "/v1/alerts/ana-1",
        {"q": "spoken -softly", "kind": "chat", "streams": ["chat:o*", "chat:closed"]},
    )
    status, made = await ask(asked, path, ana, "PUT", json=body)
    assert (status, made["stream"]) == (201, "broadcast:alert-ana-1")
    assert (await ask(asked, path, ana, "PUT", json=body))[0] == 200
    assert (await ask(asked, path, ana))[1] == {**made, "kind": ["chat"]}
    assert (await ask(asked, "/v1/alerts", ana))[1] == {"alerts": [made]}
    assert asked.lines("alert", "list") == [made]
    # Another one sees and touches nothing of it.
    ben = token("ben", publish=("broadcast:alert-ben-*",), search=("*",))
    assert (await ask(asked, "/v1/alerts", ben))[1] == {"alerts": []}
    assert (await ask(asked, path, ben, "PUT", json=body))[0] == 403
    for method in ("GET", "DELETE"):
        assert (await ask(asked, path, ben, method))[0] == 403

    ingest = topic_names(asked.settings).ingest[Kind.BROADCAST]

    def told() -> list[str]:
        found = [msgspec.json.decode(m.value()) for m in records(asked.settings, ingest)]
        return [one["data"]["event"]["stream"] for one in found]

    def speak() -> bool:
        # The indexer hears of an alert within a moment: something is said until it does.
        rooms = ("opener", "closed", "open")
        now = SystemClock().now_ms()
        said = [chat(room, next(OFFSETS), "spoken aloud", at=now) for room in rooms]
        write(asked.settings, Kind.CHAT, said)
        return "chat:open" in told()

    eventually("what ana may find is told", speak)
    assert set(told()) == {"chat:open"}  # and nothing that Ana may not read, though she asked for it
    assert (await ask(asked, path, ana, "DELETE"))[0] == 200
    assert (await ask(asked, path, ana, "DELETE"))[0] == 404
    assert (await ask(asked, "/v1/alerts", ana))[1] == {"alerts": []}


async def test_an_alert_keeps_to_the_readers_of_a_channel(asked: Pipeline) -> None:
    def channel(readers: list[str]) -> bytes:
        about = {"channel": "board", "lanes": 0, "versions": [], "epochs": []}
        return Codec("channel").encode({**about, "settings": {**DEFAULTS, "readers": readers}})

    producer = writer(asked.settings)
    producer.produce(topic_names(asked.settings).channels, channel(["root"]), key=b"board", partition=0)
    assert producer.flush(60) == 0
    for user in ("root", "ben"):
        may = token(user, publish=(f"broadcast:alert-{user}",), search=("*",))
        status, _ = await ask(asked, f"/v1/alerts/{user}", may, "PUT", json={"q": "confidential"})
        assert status == 201

    def told(user: str) -> set[str]:
        found = records(asked.settings, topic_names(asked.settings).ingest[Kind.BROADCAST])
        about = [msgspec.json.decode(m.value())["data"] for m in found]
        return {one["event"]["stream"] for one in about if one["alert"] == user}

    def speak() -> bool:
        now = SystemClock().now_ms()
        said = [chat(room, next(OFFSETS), "confidential", at=now) for room in ("board", "board~1", "open")]
        write(asked.settings, Kind.CHAT, said)
        return {"chat:board", "chat:board~1", "chat:open"} <= told("root") and "chat:open" in told("ben")

    eventually("both are told", speak)
    assert told("ben") == {"chat:open"}


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("ana-2", {"q": '"open'}, 400),
        ("ana-2", {"q": "goal", "since": "2026-06-11T19:00:00Z"}, 400),
        ("ana-2", {"q": 3}, 400),
        ("ana-2", {"q": "goal", "streams": ["x" * 141]}, 400),
        ("ana-2", ["goal"], 400),
        ("ana-" + "x" * 101, {"q": "goal"}, 400),
        ("ben-1", {"q": "goal"}, 403),
    ],
    ids=str,
)
async def test_a_bad_alert_is_refused_with_a_sentence(
    asked: Pipeline, path: str, body: Any, status: int
) -> None:
    ana = token("ana", publish=("broadcast:alert-ana-*",), search=("chat:open",))
    answered, problem = await ask(asked, f"/v1/alerts/{path}", ana, "PUT", json=body)
    assert answered == status, problem
    assert problem["detail"].endswith(".")
    blind = token("ana", publish=("broadcast:alert-ana-*",))
    assert (await ask(asked, "/v1/alerts/ana-3", blind, "PUT", json={"q": "goal"}))[0] == 403


async def test_who_asks_for_alerts_makes_the_gateway_no_client_of_kafka(asked: Pipeline) -> None:
    """Each consumer is threads and connections of its own; whoever has a token could have thousands."""
    gateway, nobody = psutil.Process(asked.pid("gateway")), token("nobody", publish=("chat:nothing",))

    def holds() -> tuple[int, int]:
        return gateway.num_threads(), len(gateway.net_connections("tcp"))

    async def ask_on(seconds: float) -> int:
        until, answered = time.monotonic() + seconds, 0
        while time.monotonic() < until:
            status, _ = await ask(asked, "/v1/alerts", nobody)
            answered += status in (200, 429)
        return answered

    async def rises() -> tuple[int, int]:
        """By how many threads and connections more the gateway has while they ask."""
        before = most = holds()
        asking = [asyncio.ensure_future(ask_on(2.0)) for _ in range(20)]
        while not all(one.done() for one in asking):
            most = tuple(map(max, most, holds()))  # type: ignore[assignment]
            await asyncio.sleep(0.02)
        assert min([await one for one in asking]) > 0
        return most[0] - before[0], most[1] - before[1]

    rounds = [await rises()]
    # A gateway that stands still for a moment has not closed what others have: of several rounds the best.
    while len(rounds) < 4 and (rounds[-1][0] >= 10 or rounds[-1][1] >= 20 + 20):
        rounds.append(await rises())
    threads, connections = rounds[-1]
    assert threads < 10, rounds
    assert connections < 20 + 20, f"a connection of each who asks, and none to Kafka: {rounds}"
