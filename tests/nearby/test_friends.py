"""Friends and consent over HTTP: what is said is in force when it is answered."""

import asyncio
import itertools
import json

import pytest
from aiohttp import ClientSession

from consumers.client.requests.nearby import Nearby
from kernel.errors import TouchlineError
from tests.pipeline import Pipeline
from tests.rooms.people import http, ok, refused

NUMBERS = itertools.count(1)


def somebody(*names: str) -> list[str]:
    """Users of these names that no other test has."""
    number = next(NUMBERS)
    return [f"{name}-{number}" for name in names]


async def friends_of(pipeline: Pipeline, user: str, *, limit: int = 2) -> dict[str, str]:
    found: dict[str, str] = {}
    cursor: str | None = ""
    while cursor is not None:
        page = await ok(pipeline, "GET", f"/v1/friends?limit={limit}&cursor={cursor}", user)
        found |= {one["user"]: one["state"] for one in page["friends"]}
        cursor = page["next"]
    return found


async def befriend(pipeline: Pipeline, *pairs: tuple[str, str]) -> None:
    for one, other in pairs:
        await ok(pipeline, "PUT", f"/v1/users/{one}/friends/{other}", None)


async def test_both_have_to_ask(walking: Pipeline) -> None:
    ana, bob = somebody("ana", "böb 🐈")
    asked = await ok(walking, "PUT", f"/v1/friends/{bob}", ana)
    assert (asked["user"], asked["state"]) == (bob, "asked")
    assert await friends_of(walking, bob) == {ana: "asking"}
    assert (await ok(walking, "PUT", f"/v1/friends/{bob}", ana))["state"] == "asked"  # again: the same
    assert (await ok(walking, "PUT", f"/v1/friends/{ana}", bob))["state"] == "friends"
    assert await friends_of(walking, ana) == {bob: "friends"}
    assert await friends_of(walking, bob) == {ana: "friends"}
    await ok(walking, "DELETE", f"/v1/friends/{ana}", bob)
    assert await friends_of(walking, ana) == await friends_of(walking, bob) == {}


async def test_who_is_blocked_asks_in_vain_and_is_no_friend_any_more(walking: Pipeline) -> None:
    ana, bob = somebody("ana", "bob")
    await befriend(walking, (ana, bob))
    await ok(walking, "PUT", f"/v1/blocks/{bob}", ana)
    assert await friends_of(walking, ana) == await friends_of(walking, bob) == {}
    assert await refused(walking, "PUT", f"/v1/friends/{ana}", bob) == (403, "forbidden")
    await ok(walking, "DELETE", f"/v1/blocks/{bob}", ana)
    assert (await ok(walking, "PUT", f"/v1/friends/{ana}", bob))["state"] == "asked"


async def test_administrators_make_many_friends(walking: Pipeline) -> None:
    ana, *others = somebody("ana", *(f"friend{n}" for n in range(30)))
    lines = [json.dumps({"a": ana, "b": other}) for other in others] + [
        "{}",
        json.dumps({"a": ana, "b": ana}),
    ]
    async with ClientSession() as session:
        url = f"{walking.gateway_url}/v1/friendships"
        headers = {"Content-Type": "application/x-ndjson"}
        async with session.post(url, data="\n".join(lines), headers=headers) as response:
            assert response.status == 200
            answer = await response.json()
    assert answer["accepted"] == 30
    assert [(one["line"], one["code"]) for one in answer["refused"]] == [
        (31, "bad_request"),
        (32, "bad_request"),
    ]
    assert await friends_of(walking, ana) == dict.fromkeys(others, "friends")
    assert await friends_of(walking, others[7]) == {ana: "friends"}
    await ok(walking, "DELETE", f"/v1/users/{others[7]}/friends/{ana}", None)
    assert await friends_of(walking, others[7]) == {}
    assert others[7] not in await friends_of(walking, ana)


async def test_many_are_in_force_when_it_is_answered_and_nobody_waits_for_them(
    walking: Pipeline,
) -> None:
    names = somebody(*(f"many{n}" for n in range(80)))
    (ana,) = somebody("ana")
    circle = names + names
    pairs = [(circle[at], circle[at + far]) for at in range(80) for far in range(1, 19)]
    making = asyncio.create_task(Nearby(walking.gateway_url).join_many(pairs))
    said = 0
    while not making.done() and said < 9:  # who says something meanwhile is answered in time
        said += 1
        status, answer = await http(walking, "PUT", "/v1/sharing", ana, {"on": said % 2 == 1})
        assert status == 200, answer
    await making
    for at in (40, 79):
        friends = [*circle[at - 18 : at], *circle[at + 1 : at + 19]]
        assert await friends_of(walking, circle[at], limit=100) == dict.fromkeys(friends, "friends")
    with pytest.raises(TouchlineError) as refusal:
        await Nearby(walking.gateway_url).join_many([(ana, ana)])
    assert refusal.value.code == "bad_request"


@pytest.mark.parametrize("path", ["/v1/users/ana/friends/bob", "/v1/friendships"])
async def test_only_administrators_make_friends_of_others(walking: Pipeline, path: str) -> None:
    method = "POST" if path.endswith("ships") else "PUT"
    assert await refused(walking, method, path, "eve", {"a": "ana", "b": "bob"}) == (403, "forbidden")


async def test_nobody_is_seen_until_they_say_so(walking: Pipeline) -> None:
    (ana,) = somebody("ana")
    assert await ok(walking, "GET", "/v1/sharing", ana) == {"on": False, "public": False}
    assert await ok(walking, "PUT", "/v1/sharing", ana, {"on": True}) == {"on": True, "public": False}
    assert await ok(walking, "GET", "/v1/sharing", ana) == {"on": True, "public": False}
    assert await ok(walking, "PUT", "/v1/sharing", ana, {"on": False}) == {"on": False, "public": False}
    status, answer = await http(walking, "PUT", "/v1/sharing", ana, {"on": "yes"})
    assert (status, answer["code"]) == (400, "bad_request")
    assert await refused(walking, "GET", "/v1/sharing", None) == (400, "bad_request")
    assert await refused(walking, "PUT", f"/v1/friends/{ana}", ana) == (400, "bad_request")
