"""Places that watch: who came and who left, on a stream of the fence's, of whom its maker may see."""

import contextlib
from typing import Any

from tests.nearby.test_friends import befriend, somebody
from tests.nearby.test_nearby import LAT, LON, METRE, be_at, sees, share
from tests.pipeline import Pipeline, eventually
from tests.rooms.people import Person, http, ok, person, refused, until

HERE = {"lat": LAT, "lon": LON, "radius_m": 100.0}


async def fence(pipeline: Pipeline, maker: str, name: str, **more: Any) -> str:
    made = await ok(pipeline, "PUT", f"/v1/fences/{name}", maker, {**HERE, **more})
    assert made["stream"] == f"broadcast:fence-{name}"
    return str(made["stream"])


def told(who: Person, stream: str) -> list[str]:
    return [
        f"{m['type']} {m['data']['user']}" for m in who.heard if m["op"] == "event" and m["stream"] == stream
    ]


async def has(pipeline: Pipeline, maker: str, name: str, *wanted: str) -> bool:
    """Whether this is what the log of a fence's stream has: viewers may be told before it does."""
    path = f"/v1/streams/broadcast/fence-{name}/events"
    return [one["type"] for one in (await ok(pipeline, "GET", path, maker))["events"]] == [*wanted]


async def test_friends_who_share_are_told_of(walking: Pipeline) -> None:
    ana, bob, eve, name = somebody("ana", "bob", "eve", "fence")
    await befriend(walking, (ana, bob))
    await share(walking, bob, eve)
    stream = await fence(walking, ana, name)
    async with person(walking, ana) as looks:
        await until(lambda: looks.subscribed(stream))
        await be_at(walking, bob, 500)

        async def entered() -> bool:
            """Also the worker hears of fences and friends a moment later; who stays comes in once."""
            await be_at(walking, eve, 5)
            await be_at(walking, bob, 10)
            return bool(told(looks, stream))

        await until(entered)
        for metres in (110, 50, 500):
            await be_at(walking, bob, metres)
        event = await looks.until(lambda m: m["op"] == "event" and m["type"] == "exit")
        assert told(looks, stream) == [f"enter {bob}", f"exit {bob}"]
        assert event["sender"] == "touchline"
        assert abs(event["data"]["lat"] - (LAT + 500 * METRE)) < 1e-9
        assert event["data"]["at"].endswith("Z")
        await be_at(walking, bob, 0)
        await looks.until(lambda _: len(told(looks, stream)) == 3)
        await share(walking, bob, on=False)
        await looks.until(lambda _: len(told(looks, stream)) == 4)
        last = [m for m in looks.heard if m["op"] == "event"][-1]
        assert (last["type"], last["data"]["reason"]) == ("exit", "stopped")
        assert "lat" not in last["data"]
    async with person(walking, eve) as other:
        assert (await other.ask("subscribe", stream=stream))["code"] == "forbidden"
        assert (await other.ask("history", stream=stream, before=9))["code"] == "forbidden"
    path = f"/v1/streams/broadcast/fence-{name}/events"
    assert (await http(walking, "GET", path, eve))[0] == 403
    await until(lambda: has(walking, ana, name, "enter", "exit", "enter", "exit"))
    assert await refused(walking, "POST", path, ana, {"type": "enter", "data": {"user": eve}}) == (
        403,
        "forbidden",
    )


async def test_a_fence_is_its_makers(walking: Pipeline) -> None:
    ana, bob, cat, name = somebody("ana", "bob", "cat", "fence")
    await fence(walking, ana, name, readers=[bob])
    assert (await ok(walking, "GET", f"/v1/fences/{name}", ana))["maker"] == ana
    assert (await ok(walking, "GET", f"/v1/fences/{name}", bob))["readers"] == [bob]
    assert await refused(walking, "GET", f"/v1/fences/{name}", cat) == (404, "not_found")
    assert await refused(walking, "PUT", f"/v1/fences/{name}", cat, HERE) == (409, "exists")
    assert await refused(walking, "DELETE", f"/v1/fences/{name}", cat) == (404, "not_found")
    assert await refused(walking, "DELETE", f"/v1/fences/{name}", bob) == (403, "forbidden")
    smaller = {**HERE, "radius_m": 50.0, "readers": [bob]}  # what is not said is not so any more
    status, changed = await http(walking, "PUT", f"/v1/fences/{name}", ana, smaller)
    assert (status, changed["radius_m"]) == (200, 50.0)
    assert await refused(walking, "PUT", f"/v1/fences/{name}", ana, {"lat": 1.0}) == (400, "bad_request")
    async with person(walking, bob) as reader, person(walking, cat) as stranger:
        await until(lambda: reader.subscribed(f"broadcast:fence-{name}"))
        assert (await stranger.ask("subscribe", stream=f"broadcast:fence-{name}"))["code"] == "forbidden"
    await ok(walking, "DELETE", f"/v1/fences/{name}", ana)
    assert await refused(walking, "GET", f"/v1/fences/{name}", ana) == (404, "not_found")


async def test_who_was_inside_is_known_after_kill_9(walking: Pipeline) -> None:
    ana, bob, name = somebody("ana", "bob", "fence")
    await befriend(walking, (ana, bob))
    await share(walking, bob)
    stream = await fence(walking, ana, name)
    async with person(walking, ana) as looks:
        await until(lambda: looks.subscribed(stream, last=10))

        async def entered() -> bool:
            await be_at(walking, bob, 10)
            return bool(told(looks, stream))

        await until(entered)
        assert told(looks, stream) == [f"enter {bob}"]
        walking.kill("stream")
        walking.start("stream")
        await be_at(walking, bob, 20)  # still inside: nothing is told again
        await be_at(walking, bob, 300)
        await looks.until(lambda _: len(told(looks, stream)) == 2)
        assert told(looks, stream) == [f"enter {bob}", f"exit {bob}"]
    found = False
    for _ in range(4):  # where it takes longer to start than somebody who says nothing is there, once more
        walking.kill("edge")
        await share(walking, bob, on=True)
        await be_at(walking, bob, 30)
        walking.start("edge")  # which finds where everybody is
        async with person(walking, ana) as again:
            with contextlib.suppress(TimeoutError):
                found = bool(await sees(again, bob, within_s=5))
        if found:
            break
    assert found
    await until(lambda: has(walking, ana, name, "enter", "exit", "enter"))
    eventually("the worker is there", lambda: walking.is_ready("stream"))
