"""Pages of large events that nobody takes: of one user a few are held, at an edge and at a gateway."""

import asyncio
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from aiohttp import ClientSession

from kernel.access.tokens import sign
from kernel.log.kafka import apply_topics
from kernel.log.positions import Kind
from kernel.log.topics import topics
from tests.accepted import chat, write
from tests.consumers.bare import bare
from tests.gateway.conftest import NO_ELASTICSEARCH
from tests.pipeline import Pipeline, running

pytestmark = [pytest.mark.servers, pytest.mark.timeout(600)]
SECRET = secrets.token_hex(32)
#: A page ends at four megabytes; so many would be 320.
ASKED, EVENTS = 80, 12
#: Eight pages of a user, as they are read, made and written; and what a process takes to begin with.
GROWS_MB = 160.0


@pytest.fixture(scope="module")
def full(kafka_servers: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    logs: Path = tmp_path_factory.mktemp("pages")
    given = {"TOUCHLINE_AUTH_SECRET": SECRET}
    with running(kafka_servers, NO_ELASTICSEARCH, logs, "edge", "gateway", **given) as pipeline:
        apply_topics(pipeline.settings, topics(pipeline.settings))
        write(pipeline.settings, Kind.CHAT, [chat("large", n + 1, "x" * 900_000) for n in range(EVENTS)])
        yield pipeline


def token(user: str) -> str:
    can: dict[str, tuple[str, ...]] = {"history": ("*",), "subscribe": ("*",)}
    return sign(user, can, expires_s=time.time() + 600, key=SECRET)


async def most_held(pid: int, seconds: float) -> float:
    """The most that a process holds in this time, in MB."""
    process, most, until = psutil.Process(pid), 0.0, time.monotonic() + seconds
    while time.monotonic() < until:
        most = max(most, process.memory_info().rss / 1e6)
        await asyncio.sleep(0.02)
    return most


async def read_once(full: Pipeline) -> None:
    """A page that is taken: what comes with the first one is there."""
    url = f"{full.gateway_url}/v1/streams/chat/large/events?limit=500&token={token('ana')}"
    async with ClientSession() as http, http.get(url) as answer:
        assert answer.status == 200
        page = await answer.json()
    assert 2 <= len(page["events"]) < EVENTS
    assert page["more"]


async def test_of_pages_that_a_user_does_not_take_a_gateway_holds_a_few(full: Pipeline) -> None:
    await read_once(full)
    before = await most_held(full.pid("gateway"), 0.2)
    port = int(full.gateway_url.rpartition(":")[2])
    path = f"/v1/streams/chat/large/events?limit=500&token={token('mallory')}"
    held = [await asyncio.open_connection("127.0.0.1", port, limit=1024) for _ in range(ASKED)]
    try:
        for _, wire in held:
            wire.transport.pause_reading()  # type: ignore[attr-defined]
            wire.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert await most_held(full.pid("gateway"), 6.0) - before < GROWS_MB
        await read_once(full)  # others have theirs
    finally:
        for _, wire in held:
            wire.transport.abort()


async def test_of_pages_that_a_user_does_not_take_an_edge_holds_a_few(full: Pipeline) -> None:
    address = f"{full.edge_url}?token={token('mallory')}"
    before = await most_held(full.pid("edge"), 0.2)
    async with (
        bare(address, max_queue=1, max_size=None) as (one, _),
        bare(address, max_queue=1, max_size=None) as (two, _),
        bare(address, max_queue=1, max_size=None) as (three, _),
    ):
        for number in range(1, 31):
            for client in (one, two, three):
                await client.say(op="history", id=number, stream="chat:large", before=2**53 - 1, limit=500)
        assert await most_held(full.pid("edge"), 6.0) - before < GROWS_MB
        async with bare(f"{full.edge_url}?token={token('ben')}", max_size=None) as (ben, _):
            await ben.say(op="history", id=1, stream="chat:large", before=2**53 - 1, limit=1)
            assert (await ben.hear("history"))["id"] == 1
