"""Lists of what others have made, as long as they may be, hold no loop of the gateway."""

import asyncio
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from aiohttp import ClientSession

from chaos.siege.watching.roles import long_stalls
from gateway.moderation.orders import MOST_BANS
from kernel.access.tokens import sign
from tests.pipeline import Pipeline, running

pytestmark = [pytest.mark.servers, pytest.mark.timeout(180)]
SECRET = secrets.token_hex(32)
AT_ONCE, CHANNELS, WEBHOOKS = 10, 100, 150


@pytest.fixture(scope="module")
def full(
    kafka_servers: str, elasticsearch_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pipeline]:
    logs: Path = tmp_path_factory.mktemp("full")
    given = {"TOUCHLINE_AUTH_SECRET": SECRET}
    with running(kafka_servers, elasticsearch_url, logs, "stream", "gateway", **given) as pipeline:
        yield pipeline


async def test_a_hundred_channels_with_large_settings_and_webhooks_of_fifty_patterns(full: Pipeline) -> None:
    token = sign("root", {"admin": ("*",), "subscribe": ("*",)}, expires_s=2**31, key=SECRET)
    places = asyncio.Semaphore(AT_ONCE)

    def stalls() -> float:
        with urlopen(full.health("gateway").replace("/healthz", "/metrics"), timeout=20) as answer:
            return long_stalls(answer.read().decode())

    async with ClientSession(full.gateway_url, headers={"Authorization": f"Bearer {token}"}) as http:

        async def put(path: str, body: Any) -> None:
            async with places, asyncio.timeout(60):
                while True:
                    async with http.put(path, json=body) as answer:
                        if answer.status != 503:  # on a busy machine it may not be in force yet
                            break
                    await asyncio.sleep(float(answer.headers.get("Retry-After", "1")) / 10)
                assert answer.status < 300

        async def listed(what: str) -> int:
            async with http.get(f"/v1/{what}") as answer:
                return len((await answer.json())[what.partition("?")[0]])

        large = {"readers": [f"reader-{number:04d}" for number in range(4000)]}
        await asyncio.gather(*(put(f"/v1/channels/large-{n}", large) for n in range(CHANNELS)))
        patterns = [f"chat:{'p' * 110}-{number}" for number in range(50)]
        hook = {"url": "https://93.184.216.34/", "streams": patterns}
        await asyncio.gather(*(put(f"/v1/webhooks/w{n}", hook) for n in range(WEBHOOKS)))
        async with asyncio.timeout(60):
            while await listed("channels?limit=200&prefix=large-") < CHANNELS:  # noqa: ASYNC110 - of others
                await asyncio.sleep(0.1)
        before = stalls()
        for _ in range(5):
            assert await listed("channels?limit=200&prefix=large-") == CHANNELS
            assert await listed("webhooks") == WEBHOOKS
    assert stalls() == before


async def test_nobody_bans_a_user_from_more_channels_than_their_searches_can_bear(full: Pipeline) -> None:
    def headers(user: str) -> dict[str, str]:
        token = sign(user, {"admin": (f"{user}-*",)}, expires_s=2**31, key=SECRET)
        return {"Authorization": f"Bearer {token}"}

    async with ClientSession(full.gateway_url) as http:
        places = asyncio.Semaphore(AT_ONCE)

        async def ban(by: str, number: int, do: str = "ban", user: str = "victim") -> int:
            path, order = f"/v1/channels/{by}-{number}/moderation", {"do": do, "user": user}
            async with places, asyncio.timeout(60):
                while True:
                    async with http.post(path, json=order, headers=headers(by)) as answer:
                        if answer.status != 503:  # on a busy machine it may not be in force yet
                            return answer.status

        assert set(await asyncio.gather(*(ban("mal", n) for n in range(MOST_BANS)))) == {200}
        assert await ban("mal", MOST_BANS) == 429
        assert await ban("mal", 0) == 200, "who is banned there already may be so for longer"
        assert (await ban("mal", MOST_BANS, user="other"), await ban("ana", 1)) == (200, 200)
        assert (await ban("mal", 7, "unban"), await ban("mal", MOST_BANS)) == (200, 200)
