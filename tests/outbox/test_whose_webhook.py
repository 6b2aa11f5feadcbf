"""Webhooks among administrators of the same streams: where one leads, whoever made it says."""

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import ClientSession

from control.commands.signed import seal
from control.entity.fold import Input
from control.outlets.webhooks import SET_WEBHOOK, Webhook, fold_webhooks, said_of
from kernel.access.signing import Signer
from kernel.access.tokens import sign
from kernel.errors import TouchlineError
from kernel.settings.reading import Auth
from tests.outbox.conftest import NO_ELASTICSEARCH
from tests.outbox.test_outlets import Browser
from tests.pipeline import Pipeline, running

SECRET = secrets.token_hex(32)
URL, OTHER_URL = "https://93.184.216.34/ana", "https://93.184.216.34/ben"
STREAMS = ["chat:final"]


@pytest.fixture(scope="module")
def ruled(kafka_servers: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    logs: Path = tmp_path_factory.mktemp("ruled")
    given = {"TOUCHLINE_AUTH_SECRET": SECRET, "TOUCHLINE_OUTBOX_MAX_WEBHOOKS": "30"}
    with running(kafka_servers, NO_ELASTICSEARCH, logs, "stream", "gateway", **given) as pipeline:
        yield pipeline


async def ask(pipeline: Pipeline, user: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    admin = ("*",) if user == "root" else ("chat:final",)
    grants = {"admin": admin, "publish": ("*:*",), "subscribe": ("*:*",)}
    token = sign(user, grants, expires_s=2**31, key=SECRET)
    async with (
        ClientSession(headers={"Authorization": f"Bearer {token}"}) as session,
        session.request(method, f"{pipeline.gateway_url}{path}", json=body) as answer,
    ):
        return answer.status, await answer.json()


@pytest.mark.servers
async def test_another_administrator_looks_at_a_webhook_and_removes_it_and_leads_it_nowhere_else(
    ruled: Pipeline,
) -> None:
    path, body = "/v1/webhooks/anas", {"url": URL, "streams": STREAMS}
    assert (await ask(ruled, "ana", "PUT", path, body))[0] == 201
    for change in ({"url": OTHER_URL}, {"types": ["goal"]}, {"secret": None}):
        status, problem = await ask(ruled, "ben", "PUT", path, body | change)
        assert (status, problem["code"]) == (403, "forbidden")
    assert (await ask(ruled, "ben", "GET", path))[1]["url"] == URL
    # Its maker changes it, and who may do everything; after that it is its maker's still.
    for user, url in (("ana", URL + "/2"), ("root", URL + "/3"), ("ana", URL + "/4")):
        assert (await ask(ruled, user, "PUT", path, body | {"url": url}))[0] == 200
        assert (await ask(ruled, "ben", "GET", path))[1]["url"] == url
    assert (await ask(ruled, "ben", "PUT", path, body))[0] == 403
    assert (await ask(ruled, "ben", "DELETE", path))[0] == 200
    assert (await ask(ruled, "ben", "PUT", path, body))[0] == 201


@pytest.mark.servers
async def test_one_has_a_tenth_of_all_that_there_may_be_and_room_again_once_one_is_gone(
    ruled: Pipeline,
) -> None:
    body = {"url": URL, "streams": STREAMS}
    for turn in range(2):
        codes = [(await ask(ruled, "cat", "PUT", f"/v1/webhooks/c{n}", body))[0] for n in range(4)]
        assert codes == ([201] * 3 if not turn else [200, 200, 201]) + [429], turn
        assert (await ask(ruled, "dan", "PUT", f"/v1/webhooks/d{turn}", body))[0] == 201
        assert (await ask(ruled, "cat", "DELETE", "/v1/webhooks/c2"))[0] == 200
    mine = (await ask(ruled, "cat", "GET", "/v1/webhooks"))[1]["webhooks"]
    assert {one["id"] for one in mine} >= {"c0", "c1", "d0", "d1"}


@pytest.mark.servers
async def test_a_push_subscription_is_not_taken_where_nothing_is_pushed(ruled: Pipeline) -> None:
    push = Browser().subscription("https://93.184.216.34/x")
    status, problem = await ask(ruled, "ana", "PUT", "/v1/notifications", {"push": push})
    assert (status, problem["code"]) == (403, "forbidden")
    assert "VAPID" in problem["detail"]
    assert (await ask(ruled, "ana", "PUT", "/v1/notifications", {"push": None}))[1]["push"] is False


def test_of_two_who_make_one_at_once_the_fold_takes_the_first() -> None:
    signer = Signer(Auth(internal_secret=SECRET))
    states: dict[bytes, Webhook] = {}

    def say(maker: str, url: str) -> None:
        said = seal(SET_WEBHOOK, "one", said_of(Webhook(id="one", url=url, maker=maker)), signer)
        given = Input(b"one", {"command": SET_WEBHOOK, "arguments": msgspec.json.encode(said)}, 1, "1", 1)
        for change in fold_webhooks(signer)(given, states.get):
            assert change.state is not None
            states[change.key] = change.state

    say("ana", URL)
    with pytest.raises(TouchlineError, match="somebody else"):
        say("ben", OTHER_URL)
    say("ana", URL + "/2")
    assert states[b"one"].url == URL + "/2"
