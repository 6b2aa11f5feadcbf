"""Refused records: who may see and retry them, and what is never posted again."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from bench.rig.known import KnownByHand
from gateway.context import Context
from gateway.http.access import Access
from gateway.http.problems import as_problems
from gateway.operators import rejections
from kernel.clock import ManualClock
from kernel.errors import TouchlineError
from kernel.log.positions import Kind
from kernel.log.topics import topic_names
from kernel.settings.reading import Auth, Settings
from producers.rejections import may_be_retried, place_of, post_again


def refusal(topic: str) -> dict[str, Any]:
    return {
        "topic": topic,
        "partition": 3,
        "offset": 1042,
        "value": b"{}",
        "record_key": b"a",
        "reason": "moderated",
    }


def test_what_the_index_refused_is_not_posted_again_because_that_would_double_the_event() -> None:
    settings = Settings()
    names = topic_names(settings)
    assert may_be_retried(settings, refusal(names.ingest[Kind.CHAT]))
    unreadable = {**refusal(names.ingest[Kind.CHAT]), "reason": "undecodable"}
    assert not may_be_retried(settings, unreadable), "it would be refused again"
    accepted = refusal(names.events[Kind.CHAT])
    assert not may_be_retried(settings, accepted)
    with pytest.raises(TouchlineError, match="index --rebuild") as refused:
        post_again(settings, [refusal(names.ingest[Kind.CHAT]), accepted])
    assert refused.value.code == "bad_request"
    assert place_of(accepted) in str(refused.value)


async def ask(client: TestClient[Any, Any], method: str, path: str, body: object = None) -> tuple[int, str]:
    async with client.request(method, path, json=body) as answer:
        return answer.status, (await answer.json())["code"]


async def test_both_ask_for_an_operators_token_and_say_what_is_wrong_with_a_request() -> None:
    clock = ManualClock()

    async def client_of(settings: Settings) -> TestClient[Any, Any]:
        access = Access(settings, KnownByHand(settings, clock), clock)
        context = cast("Context", SimpleNamespace(settings=settings, access=access))
        app = web.Application(middlewares=[as_problems])
        app.add_routes([operation.route() for operation in await rejections.routes(context)])
        return TestClient(TestServer(app))

    retry = "/v1/rejections/retry"
    async with await client_of(Settings(auth=Auth(secret="x" * 32))) as guarded:
        assert await ask(guarded, "GET", "/v1/rejections") == (401, "unauthorized")
        assert await ask(guarded, "POST", retry, {"places": ["t/0/1"]}) == (401, "unauthorized")
    async with await client_of(Settings()) as open_to_all:
        assert await ask(open_to_all, "GET", "/v1/rejections?limit=0") == (400, "bad_request")
        assert await ask(open_to_all, "GET", "/v1/rejections?limit=many") == (400, "bad_request")
        digits = "1" * 5000
        assert await ask(open_to_all, "GET", f"/v1/rejections?limit={digits}") == (400, "bad_request")
        assert await ask(open_to_all, "POST", retry, {"places": []}) == (400, "bad_request")
        assert await ask(open_to_all, "POST", retry, {"places": "t/0/1"}) == (400, "bad_request")
        async with open_to_all.post(retry, data="places=t") as answer:
            assert answer.status == 415
        # What a page of another origin may send unasked.
        async with open_to_all.post(
            retry, data=b'{"places": []}', skip_auto_headers=["Content-Type"]
        ) as bare:
            assert bare.status == 415
