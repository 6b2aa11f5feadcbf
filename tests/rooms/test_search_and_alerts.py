"""Search finds what is somebody's to read, in hits, totals and facets alike; alerts tell no room's texts."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.pipeline import Pipeline, running
from tests.rooms.people import change_members, create, http, ok, said, until
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
    async def are_there() -> bool:
        return bool((await search(pipeline, None, q))["total"] >= total)

    await until(are_there)


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

    async def told(name: str, owner: str) -> list[dict[str, Any]]:
        path = f"/v1/streams/broadcast/alert-{name}/events?limit=500"
        return [one["data"]["event"] for one in (await ok(found, "GET", path, owner))["events"]]

    whose = (("of-bob", "bob"), ("of-eve", "eve"), ("leaky", "bob"))

    async def all_told_of(text: str) -> bool:
        return all([text in str(await told(*one)) for one in whose])

    async def all_are_known() -> bool:  # a saved alert is about what comes once the indexer has read it
        await ok(found, "POST", "/v1/streams/chat/zoo/events", None, {"data": {"text": "a giraffe in a zoo"}})
        return await all_told_of("a giraffe in a zoo")

    await until(all_are_known)
    seq = await said(found, "ana", room, "a giraffe")

    async def is_told() -> bool:
        return {"stream": f"chat:room-{room}", "seq": seq} in await told("of-bob", "bob")

    await until(is_told)
    await ok(found, "POST", "/v1/streams/chat/zoo/events", None, {"data": {"text": "the last giraffe"}})
    await until(lambda: all_told_of("the last giraffe"))
    for one in whose[1:]:
        assert {event["stream"] for event in await told(*one)} == {"chat:zoo"}
    assert [event for event in await told("of-bob", "bob") if "text" in str(event)] == [
        event for event in await told("of-bob", "bob") if event["stream"] == "chat:zoo"
    ]
