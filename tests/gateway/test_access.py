"""Tokens over HTTP: what one may post is in its grants, and nobody posts in another's name."""

import time
from collections.abc import Callable

import pytest
from aiohttp import ClientSession

from kernel.tokens import sign
from tests.gateway.conftest import SECRET
from tests.pipeline import Pipeline


def token(**can: tuple[str, ...]) -> str:
    return sign("ana", can, expires_s=time.time() + 60, key=SECRET)


async def status(pipeline: Pipeline, given: str | None, **event: object) -> tuple[int, str]:
    headers = {"Authorization": f"Bearer {given}"} if given else {}
    async with (
        ClientSession() as http,
        http.post(
            f"{pipeline.gateway_url}/v1/streams/chat/final/events",
            json={"data": {"text": "hi"}, **event},
            headers=headers,
        ) as response,
    ):
        if response.status == 401:
            assert response.headers["WWW-Authenticate"] == "Bearer"
        return response.status, (await response.json(content_type=None)).get("code", "")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (lambda: None, (401, "unauthorized")),
        (lambda: "nonsense", (401, "unauthorized")),
        (lambda: sign("ana", {"publish": ("*",)}, expires_s=1, key=SECRET), (401, "unauthorized")),
        (lambda: token(subscribe=("*",)), (403, "forbidden")),
        (lambda: token(publish=("chat:other",)), (403, "forbidden")),
        (lambda: token(publish=("chat:fin*",)), (202, "")),
    ],
    ids=["none", "nonsense", "expired", "other action", "other stream", "pattern"],
)
async def test_a_token_allows_what_its_grants_say(
    guarded: Pipeline, given: Callable[[], str | None], expected: tuple[int, str]
) -> None:
    assert await status(guarded, given()) == expected


async def test_only_who_administers_posts_in_the_name_of_others(guarded: Pipeline) -> None:
    assert await status(guarded, token(publish=("*",)), sender="ana") == (202, "")
    assert await status(guarded, token(publish=("*",)), sender="ben") == (403, "forbidden")
    assert await status(guarded, token(publish=("*",), admin=("*",)), sender="ben") == (202, "")


async def test_channels_are_for_who_administers_them(guarded: Pipeline) -> None:
    async with ClientSession() as http:
        for given, expected in ((token(publish=("*",)), 403), (token(admin=("final",)), 200)):
            headers = {"Authorization": f"Bearer {given}"}
            async with http.get(f"{guarded.gateway_url}/v1/channels/final", headers=headers) as response:
                assert response.status == expected
