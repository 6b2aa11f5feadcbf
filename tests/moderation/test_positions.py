"""Where somebody is, asked of search, alerts, rejections and exports by who may not know; and erased."""

import json
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp import ClientSession

from tests.nearby.test_friends import befriend, somebody
from tests.nearby.test_nearby import LAT, LON, METRE, be_at, sees, share
from tests.pipeline import Pipeline
from tests.rooms.people import PATIENCE_S, http, ok, person, refused, until

#: Nobody else of these tests is so far north; as it is written in JSON.
FAR = 54_321.0
PLACE = f"{LAT + FAR * METRE:.6f}"
NEAR = f"{LAT + FAR * METRE:.5f},{LON}"
Way = Callable[[Pipeline, str, str], Awaitable[None]]


async def stranger(pipeline: Pipeline, foe: str, bob: str) -> None:
    await share(pipeline, bob)


async def friend(pipeline: Pipeline, foe: str, bob: str) -> None:
    """Friends see each other by `nearby`, and by nothing else."""
    await befriend(pipeline, (foe, bob))
    await share(pipeline, bob, public=True)


async def former_friend(pipeline: Pipeline, foe: str, bob: str) -> None:
    await befriend(pipeline, (foe, bob))
    await share(pipeline, bob)
    await ok(pipeline, "DELETE", f"/v1/friends/{foe}", bob)


async def after_sharing(pipeline: Pipeline, foe: str, bob: str) -> None:
    await befriend(pipeline, (foe, bob))
    await share(pipeline, bob, public=True)
    await share(pipeline, bob, on=False)


async def found_by(pipeline: Pipeline, user: str, query: str) -> list[dict[str, Any]]:
    status, answer = await http(pipeline, "GET", f"/v1/search?{query}&limit=100&facets=1", user)
    if status != 200:
        return []
    assert status == 200
    return list(answer["hits"]) + [
        {"facet": bucket}
        for buckets in (answer["facets"] or {}).values()
        if isinstance(buckets, list)
        for bucket in buckets
        if bucket.get("count")
    ]


async def indexed(pipeline: Pipeline, bob: str) -> None:
    """Bob finds it: what others do not find is there to be found."""
    deadline = time.monotonic() + PATIENCE_S
    while not await found_by(pipeline, bob, f"kind=location&channel=user-{bob}"):
        assert time.monotonic() < deadline, "bob's own positions are not indexed"


@pytest.mark.parametrize("how", [stranger, friend, former_friend, after_sharing])
async def test_search_alerts_rejections_and_exports_tell_no_other_where_somebody_is(
    ruled: Pipeline, how: Way
) -> None:
    foe, bob = somebody("foe", "bob")
    alert = {"kind": "location", "streams": ["location:user-*"], "near": NEAR, "within": "50km"}
    set_, _ = await http(ruled, "PUT", f"/v1/alerts/{foe}", foe, alert)
    mine, _ = await http(ruled, "PUT", f"/v1/alerts/{bob}", bob, alert)
    await how(ruled, foe, bob)
    await be_at(ruled, bob, FAR)
    async with person(ruled, bob) as moves:  # a place where nobody can be, in a rejection
        assert (await moves.ask("locate", lat=-LAT, lon=LON + 170))["code"] == "invalid_event"
    await indexed(ruled, bob)
    for query in (
        "kind=location",
        f"channel=user-{bob}",
        f"sender={bob}",
        f"near={NEAR}&within=50km",
        f"q={bob}",
        f"kind=location&near={NEAR}&within=20000km&sort=newest",
    ):
        said = json.dumps(await found_by(ruled, foe, query))
        assert bob not in said, query
        assert PLACE not in said, query
    if set_ < 300 and mine < 300:
        async with person(ruled, bob) as own, person(ruled, foe) as other:
            await own.ask("subscribe", stream=f"broadcast:alert-{bob}", last=10)
            await other.ask("subscribe", stream=f"broadcast:alert-{foe}", last=10)
            await be_at(ruled, bob, FAR + 5)
            assert (await other.ask("ping"))["op"] == "pong"
            assert not [m for m in other.heard if m["op"] == "event" and bob in json.dumps(m)]
    assert await refused(ruled, "GET", "/v1/rejections", foe) == (403, "forbidden")
    assert await refused(ruled, "GET", f"/v1/users/{quote(bob)}/data", foe) == (403, "forbidden")
    async with (
        ClientSession(headers={"Touchline-User": foe}) as session,
        session.get(f"{ruled.gateway_url}/v1/positions") as response,
    ):
        assert await response.text() == ""
    assert (await http(ruled, "GET", f"/v1/streams/location/user-{bob}", foe))[0] == 403
    for role in ("stream", "edge", "index", "gateway"):
        address = ruled.health(role).replace("/healthz", "/metrics")
        async with ClientSession() as session, session.get(address) as answer:
            text = await answer.text()
        assert bob not in text, role
        assert PLACE not in text, role
        assert PLACE not in ruled.whole_log(role)


async def test_who_is_erased_is_nowhere(ruled: Pipeline) -> None:
    ana, bob = somebody("ana", "bob")
    await befriend(ruled, (ana, bob))
    await share(ruled, bob, public=True)
    await be_at(ruled, bob, FAR)
    await indexed(ruled, bob)
    async with person(ruled, ana) as looks:
        await sees(looks, bob, within="1000km")
        await ok(ruled, "DELETE", f"/v1/users/{bob}/data", bob)
        await sees(looks, within="1000km")  # nobody: the edge hears of it a moment later

        async def not_around() -> bool:
            around = await looks.ask("around", lat=LAT, lon=LON, limit=100)
            return bob not in [one["user"] for one in around["friends"]]

        await until(not_around)
    past = (await ok(ruled, "GET", f"/v1/streams/location/user-{bob}/events", bob))["events"]
    assert all("lat" not in event["data"] for event in past), "of an event its place in the stream is left"
    assert not [hit for hit in await found_by(ruled, bob, f"channel=user-{bob}") if "event" in hit]
    async with (
        ClientSession(headers={"Touchline-User": bob}) as session,
        session.get(f"{ruled.gateway_url}/v1/positions") as response,
    ):
        assert PLACE not in await response.text()
