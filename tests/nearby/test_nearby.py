"""Who is near: a first page, then those who come, move and go; never without consent."""

import asyncio
import json
from typing import Any

from aiohttp import ClientSession

from tests.nearby.conftest import INACTIVE_S
from tests.nearby.test_friends import befriend, somebody
from tests.pipeline import Pipeline
from tests.rooms.people import PATIENCE_S, Person, http, ok, person, until

#: Times Square, and some metres north of it in degrees.
LAT, LON = 40.758, -73.9855
METRE = 1 / 111_195


async def share(pipeline: Pipeline, *users: str, on: bool = True, public: bool = False) -> None:
    for user in users:
        await ok(pipeline, "PUT", "/v1/sharing", user, {"on": on, "public": public})


async def be_at(pipeline: Pipeline, user: str, metres: float, **more: Any) -> None:
    """Post over HTTP where somebody is: so far north of the place."""
    body = {"data": {"lat": LAT + metres * METRE, "lon": LON}, **more}
    path = f"/v1/streams/location/user-{user}/events?wait=accepted"
    answer = await ok(pipeline, "POST", path, user, body)
    assert answer["accepted"] == 1, answer


async def look(who: Person, **more: Any) -> dict[str, Any]:
    return await who.ask("nearby", lat=LAT, lon=LON, **more)


async def sees(who: Person, *friends: str, within_s: float = PATIENCE_S, **more: Any) -> dict[str, Any]:
    """What a look finds, once the edge knows of these friends and of nobody else: of them, and of where they
    are, it hears a moment after the door that was told.
    """
    found: dict[str, Any] = {}

    async def seen() -> bool:
        found.update(await look(who, **more))
        return sorted(one["user"] for one in found["friends"]) == sorted(friends)

    await until(seen, within_s)
    return found


def told(who: Person, user: str) -> list[dict[str, Any]]:
    return [m for m in who.heard if m["op"] in ("near", "away") and m["user"] == user]


async def hears(who: Person, user: str, *what: str) -> dict[str, Any]:
    """Wait until the latest that somebody heard of a friend is this."""

    def latest(_: Any) -> bool:
        of = told(who, user)
        return bool(of) and (of[-1]["op"], *([of[-1]["reason"]] if "reason" in of[-1] else [])) == what

    await who.until(latest)
    return told(who, user)[-1]


async def test_friends_come_move_and_go(walking: Pipeline) -> None:
    ana, bob, eve = somebody("ana", "bob", "eve")
    await befriend(walking, (ana, bob))
    await share(walking, bob, eve)
    await be_at(walking, bob, 700)
    await be_at(walking, eve, 5)
    async with person(walking, ana) as looks:
        page = await sees(looks, bob)
        assert (page["op"], page["more"], [f["user"] for f in page["friends"]]) == ("nearby", False, [bob])
        first = page["friends"][0]
        assert abs(first["distance_m"] - 700) < 7
        assert abs(first["lat"] - (LAT + 700 * METRE)) < 1e-9
        await be_at(walking, bob, 300)
        await looks.until(
            lambda _: (
                [m["op"] for m in told(looks, bob)[-1:]] == ["near"]
                and abs(told(looks, bob)[-1]["distance_m"] - 300) < 3
            )
        )
        await be_at(walking, bob, 9_000)
        await hears(looks, bob, "away", "left")
        await be_at(walking, bob, 100)
        await hears(looks, bob, "near")
        assert told(looks, bob)[-1]["distance_m"] > 90
        assert (await looks.ask("locate", lat=LAT + 100 * METRE, lon=LON))["op"] == "ok"
        await looks.until(lambda _: told(looks, bob)[-1].get("distance_m", 99) < 1)
        assert (await looks.ask("nearby", off=True))["op"] == "nearby"
        await be_at(walking, bob, 90)
        assert (await looks.ask("ping"))["op"] == "pong"
        assert told(looks, eve) == []
        assert told(looks, bob)[-1]["distance_m"] < 1


async def test_consent_and_friendship_hold_at_once(walking: Pipeline) -> None:
    ana, bob, cat = somebody("ana", "bob", "cat")
    await befriend(walking, (ana, bob))
    await be_at(walking, bob, 50)
    await be_at(walking, cat, 60)
    await share(walking, cat)
    async with person(walking, ana) as looks:
        assert (await look(looks))["friends"] == []
        await share(walking, bob)
        assert abs((await hears(looks, bob, "near"))["distance_m"] - 50) < 1
        await share(walking, bob, on=False)
        await hears(looks, bob, "away", "stopped")
        await share(walking, bob)  # what was before is forgotten
        assert (await look(looks))["friends"] == []
        await be_at(walking, bob, 40)
        await hears(looks, bob, "near")
        await befriend(walking, (ana, cat))
        assert abs((await hears(looks, cat, "near"))["distance_m"] - 60) < 1
        await ok(walking, "DELETE", f"/v1/friends/{ana}", cat)
        await hears(looks, cat, "away", "unfriended")
        await be_at(walking, cat, 10)
        await be_at(walking, bob, 30)
        await looks.until(lambda m: m["op"] == "near" and m["user"] == bob and m["distance_m"] < 31)
        assert told(looks, cat)[-1]["op"] == "away"


async def test_who_says_nothing_is_there_no_more(walking: Pipeline) -> None:
    ana, bob = somebody("ana", "bob")
    await befriend(walking, (ana, bob))
    await share(walking, bob)
    took: list[float] = []
    async with person(walking, ana) as looks:
        for _ in range(3):  # of a machine that did much else meanwhile the quickest counts
            await be_at(walking, bob, 50)
            await sees(looks, bob)
            began = asyncio.get_running_loop().time()
            await hears(looks, bob, "away", "inactive")
            took.append(asyncio.get_running_loop().time() - began)
            assert (await look(looks))["friends"] == []
            if took[-1] < INACTIVE_S + 5:
                break
    assert min(took) < INACTIVE_S + 5, took


async def test_pages_have_everybody_once_nearest_first(walking: Pipeline) -> None:
    ana, *others = somebody("ana", *(f"friend{n}" for n in range(25)))
    await befriend(walking, *((ana, other) for other in others))
    await share(walking, *others)
    async with person(walking, ana) as looks:

        async def all_there() -> bool:
            await asyncio.gather(*(be_at(walking, other, 10.0 * n) for n, other in enumerate(others)))
            return len((await look(looks, limit=100))["friends"]) == len(others)

        await until(all_there)
        page = await look(looks, limit=10)
        found = list(page["friends"])
        while page["more"]:
            page = await looks.ask("nearby", cursor=page["cursor"], limit=10)
            found += page["friends"]
        assert [one["user"] for one in found] == others
        assert [round(one["distance_m"], -1) for one in found] == [10.0 * n for n in range(25)]
        within = await look(looks, within="100m")
        assert [one["user"] for one in within["friends"]] == others[:10]
        assert (await looks.ask("nearby", cursor=page.get("cursor", "1.10")))["code"] == "bad_request"
        assert (await looks.ask("nearby", lat=1.0, lon=2.0, within="far"))["code"] == "bad_request"
        assert (await looks.ask("nearby"))["code"] == "bad_request"


async def test_strangers_are_shown_in_the_middle_of_a_cell(walking: Pipeline) -> None:
    ana, bob, cat, dan = somebody("ana", "bob", "cat", "dan")
    await befriend(walking, (ana, bob))
    await share(walking, bob, cat, public=True)
    await share(walking, dan)
    await be_at(walking, dan, 10)
    async with person(walking, ana) as looks:
        rows: dict[str, Any] = {}

        async def around() -> dict[str, Any]:
            for user, metres in ((bob, 30), (cat, 60)):  # again: they stay there
                await be_at(walking, user, metres)
            answer = await looks.ask("around", lat=LAT, lon=LON, limit=100)
            rows.clear()
            rows.update({one["user"]: one for one in answer["friends"]})
            return rows

        async def both() -> bool:
            """And the edge knows that one of them is a friend: exactly where they are is for friends."""
            return {bob, cat} <= (await around()).keys() and abs(rows[bob]["distance_m"] - 30) < 1

        await until(both)
        assert dan not in rows
        assert ana not in rows
        exact = LAT + 60 * METRE
        assert abs(rows[cat]["lat"] - exact) > 1e-7
        assert abs(rows[cat]["lat"] - exact) < 1000 * METRE
        await ok(walking, "PUT", f"/v1/blocks/{ana}", cat)

        async def without(gone: str, stays: set[str]) -> bool:
            return stays <= (await around()).keys() and gone not in rows

        await until(lambda: without(cat, {bob}))
        await share(walking, bob, on=False)
        await until(lambda: without(bob, set()))


async def test_nobody_else_reads_or_writes_somebodys_positions(walking: Pipeline) -> None:
    ana, bob = somebody("ana", "bob")
    await befriend(walking, (ana, bob))
    await share(walking, bob, public=True)
    await be_at(walking, bob, 50)
    path = f"/v1/streams/location/user-{bob}/events"
    assert (await http(walking, "GET", path, ana))[0] == 403
    assert (await http(walking, "GET", path, bob))[0] == 200
    status, answer = await http(walking, "POST", path, ana, {"data": {"lat": 1.0, "lon": 2.0}})
    assert json.dumps(answer).count("forbidden") >= 1, (status, answer)
    async with person(walking, ana) as looks:
        for op in ("subscribe", "presence"):
            assert (await looks.ask(op, stream=f"location:user-{bob}"))["code"] == "forbidden"
        assert (await looks.ask("history", stream=f"location:user-{bob}", before=9))["code"] == "forbidden"


async def test_positions_that_nobody_can_have_come_to_are_refused_and_told(walking: Pipeline) -> None:
    ana, bob = somebody("ana", "bob")
    await befriend(walking, (ana, bob))
    await share(walking, bob)
    async with person(walking, bob) as moves, person(walking, ana) as looks:
        assert (await moves.ask("locate", lat=LAT, lon=LON))["op"] == "ok"
        await sees(looks, bob)
        before = len(told(looks, bob))
        far = await moves.ask("locate", lat=-LAT, lon=LON + 170)
        assert (far["op"], far["code"]) == ("error", "invalid_event")
        late = await moves.ask("locate", lat=LAT, lon=LON, client_ts="2099-01-01T00:00:00Z")
        assert (late["op"], late["code"]) == ("error", "invalid_event")
        await moves.send("locate", lat=-LAT, lon=LON + 170)
        told_of = await moves.until(lambda m: m["op"] == "rejected")
        assert (told_of["stream"], told_of["code"]) == (f"location:user-{bob}", "invalid_event")
        assert (await moves.ask("locate", lat=91.0, lon=LON))["code"] == "bad_request"
        assert told(looks, bob)[before:] == []


async def test_ones_own_positions_are_exported(walking: Pipeline) -> None:
    (ana,) = somebody("ana")
    for metres in range(7):
        await be_at(walking, ana, metres)
    async with (
        ClientSession(headers={"Touchline-User": ana}) as session,
        session.get(f"{walking.gateway_url}/v1/positions") as response,
    ):
        assert response.status == 200
        rows = [json.loads(line) for line in (await response.text()).splitlines()]
    assert [round((row["data"]["lat"] - LAT) / METRE) for row in rows] == list(range(7))
    assert {row["sender"] for row in rows} == {ana}


async def test_who_looks_has_to_say_who_they_are(walking: Pipeline) -> None:
    async with person(walking, "") as nobody:
        for op in ("nearby", "locate"):
            assert (await nobody.ask(op, lat=LAT, lon=LON))["code"] == "bad_request"
