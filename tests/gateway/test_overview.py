"""The operators' stream: who may watch it, that one gateway alone feeds it, and that it is small."""

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from gateway.operators.published_metrics import as_event, summed
from kernel.access.tokens import sign
from kernel.log.positions import OVERVIEW
from tests.consumers.bare import Bare, bare
from tests.gateway.conftest import NO_ELASTICSEARCH, SECRET
from tests.pipeline import Pipeline, running


def sample(name: str, value: float | None, **labels: str) -> dict[str, Any]:
    return {"name": f"touchline_{name}", "labels": labels, "value": value}


def test_metrics_are_summed_over_the_labels_that_the_page_does_not_show() -> None:
    metrics = [
        sample("accepted_total", 2.0, kind="chat"),
        sample("accepted_total", 3.0, kind="location"),
        sample("index_watermark", 5.0, topic="a", partition="0"),
        sample("index_watermark", 6.0, topic="a", partition="1"),
        sample("index_watermark", 1.0, topic="b", partition="0"),
        sample("viewers", None),
        sample("slow_viewers", float("nan")),
        sample("ring_bytes", 9.0),
    ]
    assert summed(metrics) == {
        "touchline_accepted_total": 5,
        "touchline_index_watermark": {"a": 11, "b": 1},
    }


def test_an_event_is_what_http_answers_and_says_what_is_wrong() -> None:
    down = {"name": "edge", "url": "http://e", "state": "down", "problems": {"answer": "No."}, "metrics": []}
    latest = {"at_ms": 9, "roles": [down], "channels": []}
    event = json.loads(as_event(7, 1_767_225_600_000, latest))
    assert (event["stream"], event["seq"], event["type"]) == (OVERVIEW, 7, "figures")
    del down["metrics"]
    assert event["data"] == {"at_ms": 9, "roles": [{**down, "sums": {}}], "channels": []}


@pytest.fixture(scope="module")
def watched(kafka_servers: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    logs: Path = tmp_path_factory.mktemp("overview")
    # In a cell, edges share the other partitions out; the figures each reads whole.
    cell = {"TOUCHLINE_EDGE_CELL": "one"}
    given = {**cell, "TOUCHLINE_AUTH_SECRET": SECRET, "TOUCHLINE_GATEWAY_OPS_EVERY_S": "0.2"}
    with running(kafka_servers, NO_ELASTICSEARCH, logs, "edge", "gateway", **given) as pipeline:
        yield pipeline


def token(**can: tuple[str, ...]) -> str:
    return sign("op", can, expires_s=time.time() + 600, key=SECRET)


async def hear(client: Bare, op: str) -> dict[str, Any]:
    """The next message of this sort: figures come all the time."""
    async with asyncio.timeout(60):
        while (message := await client.any())["op"] != op:
            assert message["op"] in ("event", "presence"), message
        return message


async def test_only_who_may_administer_everything_gets_the_figures(watched: Pipeline) -> None:
    """docs/protocol.md §10"""
    everything_else = token(
        subscribe=("*",), history=("*",), publish=("*",), search=("*",), admin=("chat:*",)
    )
    async with bare(f"{watched.edge_url}?token={everything_else}") as (client, _):
        await client.say(op="subscribe", id=1, stream=OVERVIEW)
        refused = await hear(client, "error")
        assert (refused["id"], refused["code"]) == (1, "forbidden")
    async with bare(f"{watched.edge_url}?token={token(admin=('*',))}") as (client, _):
        await client.say(op="subscribe", id=1, stream=OVERVIEW, last=3)
        assert (await hear(client, "subscribed"))["recovered"] is True
        states: dict[str, str] = {}
        async with asyncio.timeout(60):  # on a busy machine a role is not ready, now and then
            while (states.get("gateway"), states.get("edge")) != ("ready", "ready"):
                event = await hear(client, "event")
                states = {role["name"]: role["state"] for role in event["data"]["roles"]}
        assert states["index"] == "down"
        assert len(json.dumps(event)) < 4000
        for number, op in enumerate(("history", "publish", "presence", "ack"), 2):
            fields: dict[str, dict[str, Any]] = {"history": {"before": 9}, "publish": {"data": {}}}
            await client.say(op=op, id=number, stream=OVERVIEW, **fields.get(op, {"seq": 1}))
            assert (await hear(client, "error"))["code"] == "bad_request", op
        # A new token without the grant ends it.
        await client.say(op="auth", id=9, token=token(subscribe=("*",)))
        assert (await hear(client, "ok"))["id"] == 9
        await client.say(op="unsubscribe", id=10, stream=OVERVIEW)
        assert (await hear(client, "error"))["code"] == "not_found"


async def test_of_two_gateways_one_feeds_the_stream_and_the_other_takes_over(
    watched: Pipeline, kafka_servers: str, tmp_path: Path
) -> None:
    shared = {
        "TOUCHLINE_TOPICS_PREFIX": watched.name,
        "TOUCHLINE_AUTH_SECRET": SECRET,
        "TOUCHLINE_GATEWAY_OPS_EVERY_S": "0.2",
        "TOUCHLINE_GATEWAY_ROLES": "other=http://127.0.0.1:9",
    }
    async with bare(f"{watched.edge_url}?token={token(admin=('*',))}") as (client, _):
        await client.say(op="subscribe", id=1, stream=OVERVIEW)
        await hear(client, "subscribed")

        async def feed(count: int) -> list[tuple[int, str]]:
            events = [await hear(client, "event") for _ in range(count)]
            return [(event["seq"], event["data"]["roles"][0]["name"]) for event in events]

        async def until(name: str) -> list[tuple[int, str]]:
            # While a gateway starts nobody reads here: what came meanwhile comes first.
            events = await feed(1)
            while events[-1][1] != name:
                events += await feed(1)
            return events

        with ExitStack() as stack:
            second = running(kafka_servers, NO_ELASTICSEARCH, tmp_path, "gateway", **shared)
            await asyncio.to_thread(stack.enter_context, second)  # the connection is kept alive meanwhile
            first: list[tuple[int, str]] = []
            for _ in range(5):
                some = await feed(15)
                first += some
                # Whichever it is: the one that comes may take it over, once. One that the machine stops for
                # as long as one that was killed is waited for loses it, and may get it back later on.
                hands = [name for name, _ in groupby(name for _, name in some)]
                if len(hands) <= 2:
                    break
            assert len(hands) <= 2, "one gateway feeds the stream at a time"
            await asyncio.to_thread(watched.kill, "gateway")
            turned = await asyncio.wait_for(until("other"), 120)
            after = await asyncio.wait_for(feed(15), 120)
        await asyncio.to_thread(watched.start, "gateway")
        again = await asyncio.wait_for(until("stream"), 120)
        assert {name for _, name in after} == {"other"}, "the one that is left feeds it alone"
        seqs = [seq for seq, _ in first + turned + after + again]
        assert seqs == sorted(set(seqs)), "numbers rise, whoever writes"
