"""Where somebody is, asked for in every way, by those who may not know."""

import json
from typing import Any

import pytest
from aiohttp import ClientSession

from tests.nearby.test_friends import befriend, somebody
from tests.nearby.test_nearby import LAT, LON, METRE, be_at, look, share, told
from tests.pipeline import Pipeline
from tests.rooms.people import http, ok, person, until

#: So far north is the one who is looked for: no other test's somebody is.
FAR = 123_456.7


def trap_of(foe: str) -> str:
    return foe.replace("foe", "trap")


async def caught(pipeline: Pipeline, foe: str) -> list[Any]:
    """What the fence of the one who may not know has been told."""
    path = f"/v1/streams/broadcast/fence-{trap_of(foe)}/events"
    return list((await ok(pipeline, "GET", path, foe))["events"])


async def be_in_the_trap(pipeline: Pipeline, foe: str, bob: str) -> None:
    """While it may be known: until it was told, for the worker hears of fences and friends a moment later."""

    async def told_of() -> bool:
        await be_at(pipeline, bob, FAR)
        return any(one["type"] == "enter" for one in await caught(pipeline, foe))

    await until(told_of)


async def unseen(pipeline: Pipeline, foe: str, bob: str) -> None:
    """Wait until the edge has heard, too, that it is not to be known any more."""
    async with person(pipeline, foe) as looks:

        async def gone() -> bool:
            page = await look(looks, within="1000km", limit=500)
            around = await looks.ask("around", lat=LAT, lon=LON, limit=500)
            return bob not in [one["user"] for one in (*page["friends"], *around["friends"])]

        await until(gone)


async def stranger(pipeline: Pipeline, foe: str, bob: str) -> None:
    await share(pipeline, bob)
    await be_at(pipeline, bob, FAR)


async def former_friend(pipeline: Pipeline, foe: str, bob: str) -> None:
    await befriend(pipeline, (foe, bob))
    await share(pipeline, bob)
    await be_in_the_trap(pipeline, foe, bob)
    await ok(pipeline, "DELETE", f"/v1/friends/{foe}", bob)


async def after_sharing(pipeline: Pipeline, foe: str, bob: str) -> None:
    await befriend(pipeline, (foe, bob))
    await share(pipeline, bob, public=True)
    await be_in_the_trap(pipeline, foe, bob)
    await share(pipeline, bob, on=False)


async def blocked(pipeline: Pipeline, foe: str, bob: str) -> None:
    await befriend(pipeline, (foe, bob))
    await share(pipeline, bob, public=True)
    await be_in_the_trap(pipeline, foe, bob)
    await ok(pipeline, "PUT", f"/v1/blocks/{foe}", bob)


async def who_only_asked(pipeline: Pipeline, foe: str, bob: str) -> None:
    await ok(pipeline, "PUT", f"/v1/friends/{bob}", foe)
    await share(pipeline, bob)
    await be_at(pipeline, bob, FAR)


@pytest.mark.parametrize("how", [stranger, former_friend, after_sharing, blocked, who_only_asked])
async def test_who_may_not_know_learns_nothing(walking: Pipeline, how: Any) -> None:
    foe, bob = somebody("foe", "bob")
    name = trap_of(foe)
    await ok(walking, "PUT", f"/v1/fences/{name}", foe, {"lat": LAT, "lon": LON, "radius_m": 400_000.0})
    await how(walking, foe, bob)
    await unseen(walking, foe, bob)
    stream, channel = f"location:user-{bob}", f"user-{bob}"
    heard: list[Any] = []
    async with person(walking, foe) as looks:
        assert bob not in [one["user"] for one in (await look(looks, within="1000km", limit=500))["friends"]]
        answer = await looks.ask("around", lat=LAT, lon=LON, limit=500)
        assert bob not in [one["user"] for one in answer["friends"]]
        for op, fields in (
            ("subscribe", {"last": 100}),
            ("history", {"before": 2**53 - 1}),
            ("presence", {}),
            ("ack", {"seq": 1}),
        ):
            assert (await looks.ask(op, stream=stream, **fields))["code"] == "forbidden", op
        assert (await looks.ask("publish", stream=stream, data={"lat": 1, "lon": 2}))["code"] == "forbidden"
        trap = f"broadcast:fence-{name}"
        known = 1 if how in (former_friend, after_sharing, blocked) else 0  # what was told while it might be
        await until(lambda: looks.subscribed(trap, last=100))
        await be_at(walking, bob, FAR + 100)
        await be_at(walking, bob, FAR)
        assert (await looks.ask("ping"))["op"] == "pong"
        assert told(looks, bob) == []
        events = await caught(walking, foe)
        enters = [one for one in events if one["type"] == "enter" and one["data"]["user"] == bob]
        assert len(enters) == known
        assert all("lat" not in one["data"] for one in events if one["type"] == "exit")
        heard = [m for m in looks.heard if m.get("stream") != trap]
    assert f"{LAT + FAR * METRE:.4f}" not in json.dumps(heard)
    for path in (
        f"/v1/streams/location/{channel}/events",
        f"/v1/streams/location/{channel}/events?before=99999999999",
    ):
        assert (await http(walking, "GET", path, foe))[0] == 403
    edge = walking.edge_url.replace("ws://", "http://").removesuffix("/v1/ws")
    async with ClientSession() as session:
        for way in ("sse", "poll"):
            url = f"{edge}/v1/{way}?stream={stream}&user={foe}&last=10&wait=1"
            async with session.get(url) as response:
                said = (await response.content.read(2000)).decode()
                assert "forbidden" in said, (way, said)
    assert (await ok(walking, "GET", f"/v1/streams/location/{channel}/events", bob))["events"]


async def test_metrics_and_logs_have_no_positions(walking: Pipeline) -> None:
    ana, bob = somebody("ana", "bob")
    await befriend(walking, (ana, bob))
    await share(walking, bob)
    await be_at(walking, bob, FAR)
    async with person(walking, bob) as moves:
        assert (await moves.ask("locate", lat=-LAT, lon=LON + 170))["code"] == "invalid_event"
    place = f"{LAT + FAR * METRE:.3f}"
    for role in ("stream", "edge", "gateway"):
        address = walking.health(role).replace("/healthz", "/metrics")
        async with ClientSession() as session, session.get(address) as answer:
            assert place not in await answer.text()
        assert place not in walking.whole_log(role)
        assert f"{-LAT}" not in walking.whole_log(role)
