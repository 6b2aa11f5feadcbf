"""Search finds what is somebody's to read, in hits, totals and facets alike; alerts tell no room's texts."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.pipeline import Pipeline, running
from tests.rooms.people import change_members, create, http, ok, said
from tests.search_indexer.conftest import QUICK


@pytest.fixture(scope="module")
def found(
    kafka_servers: str, elasticsearch_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pipeline]:
    logs: Path = tmp_path_factory.mktemp("found")
    with running(
        kafka_servers, elasticsearch_url, logs, "stream", "index", "gateway", "edge", **QUICK
    ) as pipeline:
        yield pipeline


async def search(pipeline: Pipeline, user: str | None, q: str, **more: str) -> dict[str, Any]:
    status, answer = await http(
        pipeline, "GET", "/v1/search", user, params={"q": q, "facets": "1", "sort": "oldest", **more}
    )
    assert status == 200, answer
    return dict(answer)


def texts(answer: dict[str, Any]) -> list[str]:
    return [hit["event"]["data"]["text"] for hit in answer["hits"]]


async def until_found(pipeline: Pipeline, q: str, total: int) -> None:
    async with asyncio.timeout(30):
        while (await search(pipeline, None, q))["total"] < total:  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def test_search_keeps_to_everybodys_own_times(found: Pipeline) -> None:
    joined = await create(found, "ana", "bob", history="joined")
    all_ = await create(found, "ana", "bob")
    await said(found, "ana", joined, "zebra one")
    await said(found, "ana", all_, "zebra two")
    for room in (joined, all_):
        await change_members(found, "ana", room, add=["cat"], remove=["bob"])
    await said(found, "ana", joined, "zebra three")
    await said(found, "ana", all_, "zebra four")
    await until_found(found, "zebra", 4)
    everything = [f"zebra {n}" for n in ("one", "two", "three", "four")]
    for user, mine in (
        ("ana", everything),
        ("bob", []),
        ("cat", ["zebra two", "zebra three", "zebra four"]),
        ("eve", []),
        (None, everything),
    ):
        answer = await search(found, user, "zebra")
        assert (texts(answer), answer["total"]) == (mine, len(mine)), user
        assert sum(bucket["count"] for bucket in answer["facets"]["channel"]) == len(mine), user
        assert sum(bar["count"] for bar in answer["facets"]["histogram"]) == len(mine), user
        one = await search(found, user, "zebra", channel=f"room-{joined}")
        assert texts(one) == [text for text in mine if text in ("zebra one", "zebra three")], user
    # Back again: their own times.
    await change_members(found, "ana", joined, add=["bob"])
    await said(found, "ana", joined, "zebra five")
    await until_found(found, "zebra", 5)
    assert texts(await search(found, "bob", "zebra")) == ["zebra one", "zebra five"]
    await ok(found, "DELETE", f"/v1/rooms/{all_}", "ana")
    for user in ("ana", None):  # nor has the operator anything of it
        answer = await search(found, user, "zebra")
        assert (texts(answer), answer["total"]) == (["zebra one", "zebra three", "zebra five"], 3), user


async def test_an_alert_tells_only_where_and_only_whom_it_may(found: Pipeline) -> None:
    room = await create(found, "ana", "bob")
    for name, owner, body in (
        ("of-bob", "bob", {"q": "giraffe"}),
        ("of-eve", "eve", {"q": "giraffe"}),
        ("leaky", "bob", {"q": "giraffe", "readers": ["eve"]}),
    ):
        assert (await http(found, "PUT", f"/v1/alerts/{name}", owner, body))[0] == 201
    await asyncio.sleep(1.5)  # a saved alert is about what comes once the indexer has read it
    seq = await said(found, "ana", room, "a giraffe")
    told = "/v1/streams/broadcast/alert-of-bob/events"
    async with asyncio.timeout(20):
        while not (events := (await ok(found, "GET", told, "bob"))["events"]):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    assert events[0]["data"]["event"] == {"stream": f"chat:room-{room}", "seq": seq}
    for name, owner in (("of-eve", "eve"), ("leaky", "bob")):
        assert (await ok(found, "GET", f"/v1/streams/broadcast/alert-{name}/events", owner))["events"] == []
