"""Who somebody is over HTTP where there are no keys, and what is closed by its name."""

import asyncio
from typing import Any

import pytest
from aiohttp import ClientSession

from kernel.access.users import user_channel
from tests.gateway.asking import ask
from tests.gateway.asking import token as token_of
from tests.pipeline import Pipeline


async def call(
    pipeline: Pipeline, method: str, path: str, user: str | None = None, **more: Any
) -> tuple[int, Any]:
    headers = {} if user is None else {"Touchline-User": user}
    async with (
        ClientSession(headers=headers) as http,
        http.request(method, f"{pipeline.gateway_url}{path}", **more) as response,
    ):
        return response.status, await response.json(content_type=None)


async def post(pipeline: Pipeline, stream: str, user: str | None, **event: Any) -> tuple[int, str]:
    body = {"data": {"text": "hi"}, **event}
    path = f"/v1/streams/{stream.replace(':', '/')}/events"
    status, answer = await call(pipeline, "POST", path, user, json=body)
    return status, answer.get("code", "")


async def test_who_gives_a_name_is_believed_but_is_no_operator(ingesting: Pipeline) -> None:
    assert await post(ingesting, "chat:final", "ana") == (202, "")
    assert await post(ingesting, "chat:final", "ana", sender="ben") == (403, "forbidden")
    assert await post(ingesting, "chat:final", None, sender="ben") == (202, "")
    for path, allowed in (("/v1/channels/final", False), ("/v1/streams/chat/final/events", True)):
        assert (await call(ingesting, "GET", path, "ana"))[0] == (200 if allowed else 403)
        assert (await call(ingesting, "GET", path))[0] == 200, "the operator, as ever"


@pytest.mark.parametrize("name", ["", "%ff", "%zz", "a%", "a" * 129, "%F0%9F%91%8D" * 129])
async def test_a_name_that_cannot_be_is_refused(ingesting: Pipeline, name: str) -> None:
    assert await post(ingesting, "chat:final", name) == (400, "bad_request")


async def test_a_name_is_percent_encoded(ingesting: Pipeline) -> None:
    own = user_channel("josé")
    path = f"/v1/streams/location/{own}/events"
    assert (await call(ingesting, "GET", path, "jos%C3%A9"))[0] == 200
    assert (await call(ingesting, "GET", path, "jose"))[0] == 403


async def test_what_is_somebodys_own_is_read_and_posted_by_nobody_else(ingesting: Pipeline) -> None:
    for stream in ("location:user-ana", "broadcast:notify-ana"):
        path = f"/v1/streams/{stream.replace(':', '/')}"
        for what in (path, f"{path}/events"):
            assert (await call(ingesting, "GET", what, "ana"))[0] == 200
            assert (await call(ingesting, "GET", what, "ben"))[0] == 403
            assert (await call(ingesting, "GET", what))[0] == 200
    where = {"data": {"lat": 1.0, "lon": 2.0}}
    assert await post(ingesting, "location:user-ana", "ana", **where) == (202, "")
    assert await post(ingesting, "location:user-ana", "ben", **where) == (403, "forbidden")
    for stream in ("chat:notify-ana", "broadcast:room-study", "chat:alert-x", "chat:touchline-x"):
        event = {"type": "x"} if stream.startswith("broadcast") else {}
        assert await post(ingesting, stream, "ana", **event) == (403, "forbidden")
        assert await post(ingesting, stream, None, **event) == (403, "forbidden")
    assert await post(ingesting, "chat:room-study", "ana") == (404, "not_found")
    assert await post(ingesting, "chat:final", None, sender="touchline") == (403, "forbidden")
    assert await post(ingesting, "broadcast:final", "ana", type="audience") == (403, "forbidden")


async def test_an_alert_is_its_makers_and_whom_they_name(ingesting: Pipeline) -> None:
    body = {"q": "goal", "readers": ["ben"]}
    assert (await call(ingesting, "PUT", "/v1/alerts/ana-1", "ana", json=body))[0] == 201
    for method in ("PUT", "GET", "DELETE"):
        more = {"json": {"q": "x"}} if method == "PUT" else {}
        assert (await call(ingesting, method, "/v1/alerts/ana-1", "ben", **more))[0] == 403
    status, shown = await call(ingesting, "GET", "/v1/alerts/ana-1", "ana")
    assert (status, shown["readers"]) == (200, ["ben"])
    _, listed = await call(ingesting, "GET", "/v1/alerts", "cleo")
    assert "ana-1" not in [alert["id"] for alert in listed["alerts"]]
    path = "/v1/streams/broadcast/alert-ana-1/events"
    async with asyncio.timeout(60):
        while (await call(ingesting, "GET", path, "ben"))[0] != 200:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    for user, wanted in (("ana", 200), ("ben", 200), ("cleo", 403)):
        assert (await call(ingesting, "GET", path, user))[0] == wanted


async def test_where_there_are_keys_a_name_says_nothing(guarded: Pipeline) -> None:
    assert await post(guarded, "chat:final", "ana") == (401, "unauthorized")
    given = token_of("ben", history=("*",))
    path = "/v1/streams/chat/user-ana/events"
    status, _ = await ask(guarded, path, given, headers={"Touchline-User": "ana"})
    assert status == 403
