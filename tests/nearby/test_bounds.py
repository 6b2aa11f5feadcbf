"""How many friends and fences one may have: doors say so; what they let in at one moment does not stay."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sized
from typing import Any, TypeVar

from aiohttp import ClientSession

from tests.nearby.conftest import FENCES, FRIENDS
from tests.nearby.test_fences_tell import HERE
from tests.nearby.test_friends import friends_of, somebody
from tests.pipeline import Pipeline, eventually
from tests.rooms.people import PATIENCE_S, http, ok, refused

T = TypeVar("T", bound=Sized)


async def fences_of(pipeline: Pipeline, user: str) -> list[str]:
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = await ok(pipeline, "GET", f"/v1/fences?limit=2&cursor={cursor}", user)
        assert len(page["fences"]) <= 2
        found += [one["id"] for one in page["fences"]]
        cursor = page["next"]
    return found


async def until(ask: Callable[[], Awaitable[T]], number: int) -> T:
    """Ask until there are so many."""
    async with asyncio.timeout(PATIENCE_S):
        while len(found := await ask()) != number:  # noqa: ASYNC110 - it asks, each time anew
            await asyncio.sleep(0.2)
    return found


async def test_ones_own_fences_are_listed_page_by_page(walking: Pipeline) -> None:
    ana, bob, *names = somebody("ana", "bob", *(f"place{n}" for n in range(FENCES)))
    for name in names:
        await ok(walking, "PUT", f"/v1/fences/{name}", ana, HERE)
    assert await fences_of(walking, ana) == sorted(names)
    assert await fences_of(walking, bob) == []
    listed = [row["id"] for row in walking.lines("fence", "list", "--user", ana)]
    assert listed == sorted(names)
    await ok(walking, "DELETE", f"/v1/fences/{names[0]}", ana)
    assert await fences_of(walking, ana) == sorted(names[1:])
    assert await refused(walking, "GET", "/v1/fences?cursor=%00", ana) == (400, "bad_request")


async def test_nobody_has_more_fences_than_one_may(walking: Pipeline) -> None:
    ana, *names = somebody("ana", *(f"many{n}" for n in range(2 * FENCES)))
    for name in names[:FENCES]:
        await ok(walking, "PUT", f"/v1/fences/{name}", ana, HERE)
    assert await refused(walking, "PUT", f"/v1/fences/{names[FENCES]}", ana, HERE) == (422, "too_many")
    changed = {**HERE, "radius_m": 7.0}  # what there is may be changed
    assert (await ok(walking, "PUT", f"/v1/fences/{names[0]}", ana, changed))["radius_m"] == 7.0


async def test_fences_that_were_let_in_at_one_moment_do_not_stay(walking: Pipeline) -> None:
    ana, *names = somebody("ana", *(f"rush{n}" for n in range(3 * FENCES)))
    made = await asyncio.gather(*(http(walking, "PUT", f"/v1/fences/{name}", ana, HERE) for name in names))
    assert sum(status < 300 for status, _ in made) > FENCES, "the doors let more in than one may have"
    await until(lambda: fences_of(walking, ana), FENCES)


async def many(pipeline: Pipeline, pairs: list[tuple[str, str]]) -> dict[str, Any]:
    body = "\n".join(json.dumps({"a": a, "b": b}) for a, b in pairs)
    headers = {"Content-Type": "application/x-ndjson"}
    async with (
        ClientSession(headers=headers) as session,
        session.post(f"{pipeline.gateway_url}/v1/friendships", data=body) as response,
    ):
        assert response.status == 200
        answer: dict[str, Any] = await response.json()
        return answer


async def test_nobody_has_more_friends_than_one_may(walking: Pipeline) -> None:
    ana, *others = somebody("ana", *(f"many{n}" for n in range(FRIENDS + 12)))
    first = [(ana, other) for other in others[: FRIENDS - 1]]
    assert (await many(walking, first))["accepted"] == FRIENDS - 1
    # Two doors, each of which counts for itself, at one moment.
    rest = [(ana, other) for other in others[FRIENDS - 1 :]]
    answers = await asyncio.gather(*(many(walking, [pair]) for pair in rest))
    assert sum(answer["accepted"] for answer in answers) > 1, "the doors let more in than one may have"
    mine = await until(lambda: friends_of(walking, ana, limit=200), FRIENDS)
    assert set(mine.values()) == {"friends"}
    assert len(set(mine) & set(others[: FRIENDS - 1])) == FRIENDS - 1, "the newest were ended"
    # Who has as many as one may is told so, whichever of the two asks, and whoever says yes.
    late = somebody("late")[0]
    assert await refused(walking, "PUT", f"/v1/friends/{ana}", late) == (422, "too_many")
    assert await refused(walking, "PUT", f"/v1/users/{late}/friends/{ana}", None) == (422, "too_many")
    refusal = (await many(walking, [(late, ana)]))["refused"]
    assert [one["code"] for one in refusal] == ["too_many"]
    gone = others[0]
    await ok(walking, "DELETE", f"/v1/friends/{gone}", ana)
    assert (await ok(walking, "PUT", f"/v1/friends/{late}", ana))["state"] == "asked"
    eventually("the worker counts on", lambda: walking.is_ready("stream"))
