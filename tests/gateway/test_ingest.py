"""POST …/events on a running gateway: what is accepted lies in Kafka, what is not is told for each event."""

import asyncio
import gzip
import io
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import zstandard
from aiohttp import ClientSession
from confluent_kafka import Consumer, TopicPartition

from kernel.log.kafka import client_config
from kernel.log.positions import Kind
from kernel.log.topics import topic_names
from schemas.ingest import decode_ingest
from tests.pipeline import Pipeline

NDJSON = {"Content-Type": "application/x-ndjson"}
GOOD = b'{"data":{"text":"hi"}}'
BAD = b'{"data":{"text":""}}'


@pytest.fixture
async def http() -> AsyncIterator[ClientSession]:
    async with ClientSession(auto_decompress=False) as session:
        yield session


@pytest.fixture
def channel(request: pytest.FixtureRequest) -> str:
    """A channel of this test's own."""
    return "".join(c if c.isalnum() else "-" for c in request.node.name)[:100]


def url(pipeline: Pipeline, channel: str, kind: str = "chat") -> str:
    return f"{pipeline.gateway_url}/v1/streams/{kind}/{channel}/events"


def posted(pipeline: Pipeline, channel: str, kind: Kind = Kind.CHAT) -> list[dict[str, Any]]:
    """What lies in Kafka for a channel."""
    topic = topic_names(pipeline.settings).ingest[kind]
    consumer = Consumer(client_config(pipeline.settings, group_id="tests", enable_partition_eof=True))
    found = []
    try:
        partitions = pipeline.settings.topics.partitions
        consumer.assign([TopicPartition(topic, n, 0) for n in range(partitions)])
        ended = 0
        while ended < partitions:
            message = consumer.poll(60)
            assert message is not None
            if message.error():
                ended += 1
            elif message.key() == channel.encode():
                found.append(decode_ingest(kind, message.value() or b""))
    finally:
        consumer.close()
    return found


def texts(pipeline: Pipeline, channel: str) -> list[str]:
    return [event["data"]["text"] for event in posted(pipeline, channel)]


async def post(http: ClientSession, to: str, body: bytes, **headers: str) -> tuple[int, Any]:
    async with http.post(to, data=io.BytesIO(body), headers=headers) as response:
        return response.status, json.loads(await response.read())


async def test_one_event_is_accepted_once_kafka_holds_it(
    http: ClientSession, ingesting: Pipeline, channel: str
) -> None:
    async with http.post(
        url(ingesting, channel), json={"key": "k", "sender": "ana", "data": {"text": "hi"}}
    ) as response:
        assert response.status == 202
        assert await response.json() == {"accepted": 1, "refused": 0, "results": [{"ok": True}]}
    [event] = posted(ingesting, channel)
    assert (event["key"], event["sender"], event["data"]["text"]) == ("k", "ana", "hi")


async def test_of_usual_messages_one_whose_time_is_none_is_refused_alone(
    http: ClientSession, ingesting: Pipeline, channel: str
) -> None:
    body = b"\n".join([GOOD, b'{"client_ts":"soon","data":{"text":"when"}}', GOOD])
    status, answer = await post(http, url(ingesting, channel), body, **NDJSON)
    assert (status, answer["accepted"], answer["refused"]) == (202, 2, 1)
    assert [result.get("code") for result in answer["results"]] == [None, "invalid_event", None]


async def test_an_array_has_a_result_for_each_event(
    http: ClientSession, ingesting: Pipeline, channel: str
) -> None:
    body = [{"data": {"text": "one"}}, {"data": {"text": ""}}, 7, {"data": {"text": "four"}}]
    status, answer = await post(
        http, url(ingesting, channel), json.dumps(body).encode(), **{"Content-Type": "application/json"}
    )
    assert status == 202
    assert (answer["accepted"], answer["refused"]) == (2, 2)
    assert [result.get("code") for result in answer["results"]] == [
        None,
        "invalid_event",
        "undecodable",
        None,
    ]
    assert texts(ingesting, channel) == ["one", "four"]


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("identity", bytes), ("gzip", gzip.compress), ("zstd", zstandard.ZstdCompressor().compress)],
)
async def test_ndjson_may_be_packed_and_of_any_length(
    http: ClientSession, ingesting: Pipeline, channel: str, encoding: str, pack: Callable[[bytes], bytes]
) -> None:
    lines = [json.dumps({"data": {"text": f"{n}"}}).encode() for n in range(3000)]
    lines[1500] = b"{"
    body = pack(b"\n".join(lines) + b"\n\n  \n")
    status, answer = await post(
        http, url(ingesting, channel), body, **NDJSON, **{"Content-Encoding": encoding}
    )
    assert (status, answer["accepted"], answer["refused"]) == (202, 2999, 1)
    assert len(answer["results"]) == 3000
    assert answer["results"][1500]["code"] == "undecodable"
    assert texts(ingesting, channel) == [str(n) for n in range(3000) if n != 1500]


async def test_several_packed_parts_one_after_another_are_one_body(
    http: ClientSession, ingesting: Pipeline, channel: str
) -> None:
    for encoding, pack in (("gzip", gzip.compress), ("zstd", zstandard.ZstdCompressor().compress)):
        body = pack(GOOD + b"\n") + pack(GOOD)
        status, answer = await post(
            http, url(ingesting, channel), body, **NDJSON, **{"Content-Encoding": encoding}
        )
        assert (status, answer["accepted"]) == (202, 2)


async def test_results_come_as_they_are_known_to_who_asks_for_ndjson(
    http: ClientSession, ingesting: Pipeline, channel: str
) -> None:
    first_known = False

    async def body() -> AsyncIterator[bytes]:
        yield GOOD + b"\n"
        nonlocal first_known
        # The body goes on only after the first result was read: they come while it is still being sent.
        while not first_known:
            await asyncio.sleep(0.01)
            yield b"\n" + GOOD + b"\n"
        yield BAD

    async with http.post(
        url(ingesting, channel), data=body(), headers={**NDJSON, "Accept": "application/x-ndjson"}
    ) as response:
        assert response.status == 202
        assert json.loads(await response.content.readline()) == {"ok": True}
        first_known = True
        rest = [json.loads(line) for line in (await response.read()).splitlines()]
    assert rest[-2]["code"] == "invalid_event"
    assert rest[-1]["refused"] == 1
    assert rest[-1]["accepted"] == len(rest) - 1


async def test_an_idempotency_key_becomes_the_events_key_where_it_has_none(
    http: ClientSession, ingesting: Pipeline, channel: str
) -> None:
    await post(
        http,
        url(ingesting, channel),
        GOOD,
        **{"Content-Type": "application/json", "Idempotency-Key": "order-7"},
    )
    several = b"[" + GOOD + b',{"key":"own","data":{"text":"hi"}},' + GOOD + b"]"
    await post(
        http,
        url(ingesting, channel),
        several,
        **{"Content-Type": "application/json", "Idempotency-Key": "lot"},
    )
    assert [event["key"] for event in posted(ingesting, channel)] == ["order-7", "lot/0", "own", "lot/2"]


def small_but_much() -> bytes:
    return gzip.compress(b" " * (64 * 1024 * 1024), mtime=0)


BIG = b'{"data":{"text":"' + b"x" * 1024 * 1024 + b'"}}'


@pytest.mark.parametrize(
    ("body", "headers", "expected"),
    [
        (b"", {}, (400, "undecodable")),
        (b"{", {}, (400, "undecodable")),
        (b"[{", {}, (400, "undecodable")),
        (b'"text"', {}, (400, "undecodable")),
        (BAD, {}, (422, "invalid_event")),
        (b"[" + BAD + b"]", {}, (422, "invalid_event")),
        (BIG, {}, (413, "too_large")),
        (b" " * (9 * 1024 * 1024), {}, (413, "too_large")),
        (small_but_much, {"Content-Encoding": "gzip"}, (413, "too_large")),
        (GOOD, {"Content-Type": "text/plain"}, (415, "unsupported_media_type")),
        (GOOD, {"Content-Encoding": "br"}, (415, "unsupported_media_type")),
        (GOOD, {"Content-Encoding": "gzip"}, (400, "bad_request")),
        (gzip.compress(GOOD, mtime=0)[:-9], {"Content-Encoding": "gzip"}, (400, "bad_request")),
        (zstandard.compress(GOOD * 20)[:-3], {"Content-Encoding": "zstd"}, (400, "bad_request")),
        (GOOD, {"Idempotency-Key": "k" * 129}, (400, "bad_request")),
    ],
)  # fmt: skip
async def test_what_cannot_be_taken_is_a_problem_with_a_stable_code(
    http: ClientSession,
    ingesting: Pipeline,
    body: bytes | Callable[[], bytes],
    headers: dict[str, str],
    expected: tuple[int, str],
) -> None:
    async with http.post(
        url(ingesting, "refused"),
        data=io.BytesIO(body() if callable(body) else body),
        headers={"Content-Type": "application/json", **headers},
    ) as response:
        answer = await response.json(content_type="application/problem+json")
    assert (response.status, answer["code"]) == expected
    assert answer["status"] == response.status
    assert answer["detail"].endswith(".")
    assert posted(ingesting, "refused") == []


async def test_a_page_of_another_origin_cannot_post_unasked(http: ClientSession, ingesting: Pipeline) -> None:
    bare = http.post(
        url(ingesting, "refused"),
        data=io.BytesIO(GOOD),
        headers={"Origin": "https://evil.example"},
        skip_auto_headers=["Content-Type"],
    )
    async with bare as response:
        assert response.status == 403
    assert posted(ingesting, "refused") == []


async def test_a_line_that_is_too_long_is_one_result_and_the_next_line_is_taken(
    http: ClientSession, ingesting: Pipeline, channel: str
) -> None:
    status, answer = await post(http, url(ingesting, channel), b"\n".join([GOOD, BIG * 3, GOOD]), **NDJSON)
    assert (status, answer["accepted"]) == (202, 2)
    assert answer["results"][1]["code"] == "too_large"


async def test_a_body_that_breaks_off_tells_what_was_accepted_before(
    http: ClientSession, ingesting: Pipeline, channel: str
) -> None:
    body = gzip.compress(b"\n".join([GOOD] * 1000) + b"\n")[:-9]
    status, answer = await post(http, url(ingesting, channel), body, **NDJSON, **{"Content-Encoding": "gzip"})
    assert (status, answer["code"]) == (400, "bad_request")
    assert answer["accepted"] == len(answer["results"]) == len(texts(ingesting, channel)) > 0


@pytest.mark.parametrize(
    ("path", "code"),
    [("video/a", "bad_request"), ("chat/a%20b", "bad_channel"), ("chat/" + "x" * 129, "bad_channel")],
)
async def test_what_is_no_stream_is_said(
    http: ClientSession, ingesting: Pipeline, path: str, code: str
) -> None:
    status, answer = await post(http, f"{ingesting.gateway_url}/v1/streams/{path}/events", GOOD)
    assert (status, answer["code"]) == (400, code)


async def test_other_methods_and_paths_are_problems_too(http: ClientSession, ingesting: Pipeline) -> None:
    async with http.delete(url(ingesting, "a")) as response:
        assert (response.status, response.content_type) == (405, "application/problem+json")
        assert "POST" in response.headers["Allow"]
    async with http.get(f"{ingesting.gateway_url}/v1/nothing") as response:
        assert (response.status, (await response.json(content_type=None))["code"]) == (404, "not_found")


async def test_a_client_who_leaves_in_the_middle_of_a_body_is_nothing_of_note(
    http: ClientSession, ingesting: Pipeline
) -> None:
    host, _, port = ingesting.gateway_url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        b"POST /v1/streams/chat/gone/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: 1000\r\nExpect: 100-continue\r\n\r\n"
    )
    assert b"100" in await reader.readline()
    writer.write(b'{"type": ')
    await writer.drain()
    writer.transport.abort()
    async with http.get(f"{ingesting.gateway_url}/healthz") as answer:
        assert answer.status == 200
    assert "Traceback" not in ingesting.log("gateway")
