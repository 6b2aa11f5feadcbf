"""The gateway's door: who holds it open is closed, who comes from elsewhere is refused, each has a share."""

import asyncio
import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import ClientSession

from control.channels.channel import ChannelRecord, to_avro
from control.channels.channel import Settings as Closed
from gateway.http.origins import Origins
from kernel.access.tokens import sign
from kernel.log.topics import topic_names
from kernel.settings.sections import Gateway
from schemas.codec import Codec
from tests.accepted import writer
from tests.gateway.conftest import NO_ELASTICSEARCH, SECRET
from tests.pipeline import Pipeline, running

AT_ONCE = 20
GIVEN = {
    "TOUCHLINE_AUTH_SECRET": SECRET,
    "TOUCHLINE_GATEWAY_ORIGINS": "https://app.example",
    # Longer than a busy machine stands still: who sends a request at once is in time.
    "TOUCHLINE_GATEWAY_HEAD_TIMEOUT_S": "4",
    "TOUCHLINE_GATEWAY_BODY_TIMEOUT_S": "4",
    "TOUCHLINE_GATEWAY_MAX_CONNECTIONS_PER_ADDRESS": "100",
    "TOUCHLINE_GATEWAY_PATIENCE_S": "1",
    "TOUCHLINE_LIMITS_EVENTS_PER_S": "0.01",
    "TOUCHLINE_LIMITS_EVENTS_AT_ONCE": str(AT_ONCE),
    "TOUCHLINE_LIMITS_READS_PER_S": "0.01",
    "TOUCHLINE_LIMITS_READS_AT_ONCE": "3",
    "TOUCHLINE_LIMITS_CLOSED_CHANNELS": "3",
}


@pytest.fixture(scope="module")
def door(kafka_servers: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    logs: Path = tmp_path_factory.mktemp("door")
    with running(kafka_servers, NO_ELASTICSEARCH, logs, "gateway", **GIVEN) as pipeline:
        yield pipeline


def bearer(user: str, **can: tuple[str, ...]) -> dict[str, str]:
    can = can or {"publish": ("*",), "history": ("*",), "search": ("*",)}
    return {"Authorization": f"Bearer {sign(user, can, expires_s=time.time() + 600, key=SECRET)}"}


def port_of(pipeline: Pipeline) -> int:
    return int(pipeline.gateway_url.rpartition(":")[2])


async def held_open(pipeline: Pipeline, begin: bytes) -> float:
    """How long a connection lasts on which no more comes than this."""
    begun = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(pipeline))
    writer.write(begin)
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(60):
            await reader.read()
    writer.close()
    return time.monotonic() - begun


@pytest.mark.parametrize(
    "begin",
    [
        b"",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nA: ",
    ],
    ids=["nothing", "half of a head"],
)
async def test_a_head_that_does_not_come_ends_the_connection(door: Pipeline, begin: bytes) -> None:
    assert await held_open(door, begin) < 40


async def test_a_body_that_does_not_come_ends_the_request(door: Pipeline) -> None:
    head = "".join(f"{name}: {value}\r\n" for name, value in bearer("slow").items())
    path = "/v1/streams/chat/a/events"
    begin = f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{head}Content-Length: 100\r\n\r\n{{"
    assert await held_open(door, begin.encode()) < 40


async def test_one_address_cannot_take_all_connections(door: Pipeline) -> None:
    # Where the machine stands still all are closed for want of a head, before anybody looks.
    tries = 1
    while not await who_is_too_many_is_closed_before_others(door):
        assert (tries := tries + 1) <= 5


async def who_is_too_many_is_closed_before_others(door: Pipeline) -> bool:
    held = [await asyncio.open_connection("127.0.0.1", port_of(door)) for _ in range(110)]
    ends = [asyncio.ensure_future(reader.read()) for reader, _ in held]
    try:
        async with asyncio.timeout(60):
            while sum(end.done() for end in ends[100:]) < 5:  # noqa: ASYNC110 - of another process
                await asyncio.sleep(0.01)
        return not any(end.done() for end in ends[:90])
    finally:
        for _, wire in held:
            wire.transport.abort()
        await asyncio.gather(*ends, return_exceptions=True)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 202),
        ({"Host": "rebound.example"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://localhost:3000"}, 403),
        ({"Origin": "http://{own}"}, 202),
        ({"Origin": "https://app.example"}, 202),
        ({"Origin": "https://app.example:444"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
    ],
)
async def test_pages_of_other_origins_and_other_names_change_nothing(
    door: Pipeline, headers: dict[str, str], status: int
) -> None:
    own = door.gateway_url.removeprefix("http://")
    given = {name: value.format(own=own) for name, value in headers.items()} | bearer("page")
    url = f"{door.gateway_url}/v1/streams/chat/a/events"
    async with (
        ClientSession() as http,
        http.post(url, json={"data": {"text": "hi"}}, headers=given) as response,
    ):
        assert response.status == status


@pytest.mark.parametrize("origin", ["https://app.example", "https://evil.example", "null"])
async def test_browsers_are_told_whose_pages_may_ask(door: Pipeline, origin: str) -> None:
    url, known = f"{door.gateway_url}/v1/streams/chat/a/events", origin == "https://app.example"
    ahead = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    async with ClientSession() as http:
        async with http.options(url, headers=ahead) as response:
            assert response.status == (204 if known else 405)
            assert response.headers.get("Access-Control-Allow-Origin") == (origin if known else None)
            allowed = response.headers.get("Access-Control-Allow-Headers")
            assert allowed == ("authorization,content-type" if known else None)
        # Refusals are told like answers, so that a page can say what is wrong.
        for path, status in (("/v1/page", 200), ("/v1/nothing", 404), ("/v1/channels?sort=x", 400)):
            headers = {"Origin": origin, **bearer("reader")}
            async with http.get(f"{door.gateway_url}{path}", headers=headers) as response:
                assert response.status == status
                assert response.headers.get("Access-Control-Allow-Origin") == (origin if known else None)
                assert "Origin" in response.headers.getall("Vary")
                assert "Access-Control-Allow-Credentials" not in response.headers
        # The client is for the pages of every site, as before.
        async with http.get(f"{door.gateway_url}/client.js", headers={"Origin": origin}) as response:
            assert response.status in {200, 404}
            if response.status == 200:
                assert response.headers["Access-Control-Allow-Origin"] == "*"


def test_without_origins_none_may_ask_and_on_loopback_the_gateways_own() -> None:
    own, elsewhere, every = (
        Origins(Gateway(host=host, port=8000, origins=origins))
        for host, origins in (("127.0.0.1", ()), ("0.0.0.0", ()), ("0.0.0.0", ("*",)))
    )
    assert [own.allow(f"http://{name}") for name in ("localhost:8000", "[::1]:8000", "localhost:3000")] == [
        *(True, True, False)
    ]
    assert [elsewhere.allow(one) for one in ("http://localhost:8000", "https://a.example", None)] == [
        False
    ] * 3
    assert [every.allow(one) for one in ("https://a.example", "null", None)] == [True, False, False]


async def test_a_user_has_a_share_and_is_told_when_there_is_more_of_it(door: Pipeline) -> None:
    url = f"{door.gateway_url}/v1/streams/chat/a/events"
    many = b'{"data":{"text":"hi"}}\n' * 1000
    async with ClientSession() as http:
        ndjson = {"Content-Type": "application/x-ndjson"}
        async with http.post(url, data=many, headers={**bearer("ana"), **ndjson}) as response:
            assert response.status == 429
            assert int(response.headers["Retry-After"]) > 1
            told = json.loads(await response.read())
            assert (told["code"], told["accepted"]) == ("rate_limited", 0)
        for user, given in (("ana", 202), ("ben", 202)):  # what was refused did not count
            async with http.post(
                url, data=many[: 23 * AT_ONCE], headers={**bearer(user), **ndjson}
            ) as response:
                assert response.status == given
        async with http.post(url, json={"data": {"text": "hi"}}, headers=bearer("ana")) as response:
            assert response.status == 429
        async with http.post(url, json={"data": {"text": "hi"}}, headers=bearer("cleo")) as response:
            assert response.status == 202
        root = bearer("root", admin=("*",), publish=("*",))
        async with http.post(url, data=many, headers={**root, **ndjson}) as response:
            assert response.status == 202


async def test_pages_of_the_past_are_counted(door: Pipeline) -> None:
    url = f"{door.gateway_url}/v1/streams/chat/a/events"
    async with ClientSession(headers=bearer("reader")) as http:
        statuses = []
        for _ in range(4):
            async with http.get(url) as response:
                statuses.append(response.status)
    assert statuses == [200, 200, 200, 429]


async def test_who_administers_channels_by_a_pattern_closes_so_many_of_them(door: Pipeline) -> None:
    """Each is a name in the filter of searches: those of whoever may search them, and of nobody else."""
    codec, topic = Codec("channel"), topic_names(door.settings).channels
    producer = writer(door.settings)
    for number in range(3):
        record = ChannelRecord(channel=f"foe-{number}", settings=Closed(readers=("x",)))
        producer.produce(topic, codec.encode(to_avro(record)), record.channel.encode(), 0)
    assert producer.flush(30) == 0
    mallory, other = bearer("mallory", admin=("foe-*",)), bearer("ben", admin=("ours-*",))

    async def close(http: ClientSession, channel: str, headers: dict[str, str], **more: object) -> object:
        url = f"{door.gateway_url}/v1/channels/{channel}"
        async with http.put(url, json={"readers": ["ben"], **more}, headers=headers) as answer:
            return answer.status if answer.status == 202 else (await answer.json(content_type=None))["code"]

    async with ClientSession() as http, asyncio.timeout(60):
        while await close(http, "foe-9", mallory) != "limit_reached":  # noqa: ASYNC110 - until it is read
            await asyncio.sleep(0.2)
        assert await close(http, "foe-1", mallory) == 202, "one that is closed may be changed"
        assert await close(http, "ours-1", other) == 202, "others have theirs"
        large = [f"reader-{number:04d}" for number in range(400)]
        assert await close(http, "ours-2", other, readers=large) == "limit_reached", "by the kilobyte"
        assert await close(http, "foe-10", bearer("root", admin=("*",))) == 202
