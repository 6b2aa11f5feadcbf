"""Of the directory alone: uploads that break off, gateways that die, several of them, disks that are full."""

import asyncio
import hashlib
import os
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.attachments.conftest import NO_ELASTICSEARCH, QUICK
from tests.attachments.people import Person, ask, send
from tests.attachments.test_attachments import room
from tests.pipeline import Pipeline, running

DATA = os.urandom(3_000_000)
HALF = 1_500_000


async def slowly(data: bytes, reached: asyncio.Event, go_on: asyncio.Event) -> AsyncIterator[bytes]:
    """Its first half, and nothing more until somebody says so."""
    for start in range(0, HALF, 100_000):
        yield data[start : start + 100_000]
    reached.set()
    await go_on.wait()
    yield data[HALF:]


async def arrived(upload: dict[str, Any]) -> int:
    return int((await ask("HEAD", upload["url"])).headers["Upload-Offset"])


async def until_arrived(upload: dict[str, Any], least: int) -> int:
    async with asyncio.timeout(60):
        while (here := await arrived(upload)) < least:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        return here


async def broken_off(upload: dict[str, Any], data: bytes) -> asyncio.Task[Any]:
    """An upload of which half has come, and whose client stands still."""
    reached, never = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(send(upload, slowly(data, reached, never)))
    await reached.wait()
    await until_arrived(upload, 1_000_000)
    return task


async def test_an_upload_goes_on_where_it_broke_off(live: Pipeline, ana: Person) -> None:
    stream = room()
    taken = (await ana.announce(stream, DATA)).json
    assert await arrived(taken["upload"]) == 0
    task = await broken_off(taken["upload"], DATA)
    task.cancel()
    # Whoever comes back has lost the other connection, whether or not that is known here yet: what had been
    # sent by it may still arrive, and then one asks again from where on.
    async with asyncio.timeout(60):
        while True:
            here = await arrived(taken["upload"])
            rest = {"Content-Range": f"bytes {here}-{len(DATA) - 1}/{len(DATA)}"}
            done = await send(taken["upload"], DATA[here:], **rest)
            if done.status == 201 or here == await arrived(taken["upload"]):
                break
    assert (done.status, done.json["size"]) == (201, len(DATA)), done.body
    assert await arrived(taken["upload"]) == len(DATA)
    assert (await send(taken["upload"], DATA)).status == 201, "whoever did not hear of it sends it again"
    assert (await send(taken["upload"], bytes(len(DATA)))).code == "bad_request"
    await ana.publish(stream, taken["attachment"])
    assert await ana.bytes_of(taken["attachment"]) == DATA


async def test_in_parts_and_a_part_that_is_wrong_is_found_at_the_end(live: Pipeline, ana: Person) -> None:
    stream = room()
    taken = (await ana.announce(stream, DATA)).json

    async def part(data: bytes, first: int) -> int:
        range_ = f"bytes {first}-{first + len(data) - 1}/{len(DATA)}"
        return (await send(taken["upload"], data, **{"Content-Range": range_})).status

    assert await part(bytes(HALF), 0) == 202
    assert await part(DATA[HALF:], HALF) == 400
    assert await arrived(taken["upload"]) == 0, "nothing of it is kept"
    assert await part(DATA[:HALF], 0) == 202
    assert (await ana.publish(stream, taken["attachment"])).status == 404
    assert await part(DATA[HALF:], HALF) == 201
    assert (await ana.publish(stream, taken["attachment"])).status == 202


@pytest.fixture(scope="module")
def two(kafka_servers: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Pipeline, Pipeline]]:
    """Two gateways of one pipeline, with one directory, one of which may be killed."""
    logs: Path = tmp_path_factory.mktemp("two")
    given = {**QUICK, "TOUCHLINE_ATTACHMENTS_DIR": str(logs / "files")}
    given |= {
        "TOUCHLINE_LIMITS_UPLOADS_AT_ONCE": "3",
        "TOUCHLINE_LIMITS_ATTACHMENT_BYTES_PER_HOUR": "40000000",
    }
    given |= {"TOUCHLINE_ATTACHMENTS_DISK_BYTES": "30000000", "TOUCHLINE_ATTACHMENTS_MAX_BYTES": "25000000"}
    with running(kafka_servers, NO_ELASTICSEARCH, logs, "stream", "gateway", **given) as first:
        second = Pipeline(kafka_servers, NO_ELASTICSEARCH, logs, **given, TOUCHLINE_TOPICS_PREFIX=first.name)
        second.name = f"{first.name}-second"
        try:
            second.start("gateway")
            yield first, second
        finally:
            second.close()


async def test_kill_9_during_an_upload_and_another_gateway_goes_on(two: tuple[Pipeline, Pipeline]) -> None:
    first, second = two
    here, there, stream = Person(first, "ana"), Person(first, "ana", gateway=second.gateway_url), room()
    taken = (await there.announce(stream, DATA)).json
    task = await broken_off(taken["upload"], DATA)
    held = taken["upload"]["url"].replace(second.gateway_url, first.gateway_url)
    second.kill("gateway")
    with pytest.raises(Exception):  # noqa: B017, PT011 - however the connection ends
        await task
    assert (await here.publish(stream, taken["attachment"])).status == 404
    upload = {**taken["upload"], "url": held}
    offset = await arrived(upload)
    assert offset >= 1_000_000, "what had come before is not lost"
    rest = {"Content-Range": f"bytes {offset}-{len(DATA) - 1}/{len(DATA)}"}
    assert (await send(upload, DATA[offset:], **rest)).status == 201
    assert (await here.publish(stream, taken["attachment"])).status == 202
    second.start("gateway")
    assert await there.bytes_of(taken["attachment"]) == DATA


async def test_one_takes_it_in_and_the_other_knows(two: tuple[Pipeline, Pipeline]) -> None:
    first, second = two
    here, there, stream = Person(first, "ben"), Person(first, "ben", gateway=second.gateway_url), room()
    attachment = await here.upload(stream, b"small")
    assert (await there.publish(stream, attachment)).status == 202
    assert await here.bytes_of(attachment) == await there.bytes_of(attachment) == b"small"


async def test_while_one_takes_it_in_the_other_does_not(two: tuple[Pipeline, Pipeline]) -> None:
    first, second = two
    taken = (await Person(first, "cem").announce(room(), DATA)).json
    task = await broken_off(taken["upload"], DATA)
    elsewhere = taken["upload"]["url"].replace(first.gateway_url, second.gateway_url)
    refused = await send({**taken["upload"], "url": elsewhere}, DATA)
    assert (refused.status, refused.code) == (429, "limit_reached")
    task.cancel()


async def test_a_user_has_so_many_open_uploads_and_so_many_bytes(two: tuple[Pipeline, Pipeline]) -> None:
    first, second = two
    dora, stream = Person(first, "dora"), room()
    opened = [(await dora.announce(stream, bytes([n]))).json for n in range(3)]
    refused = await dora.announce(stream, b"more")
    assert (refused.status, refused.code) == (429, "limit_reached")
    # What has arrived by another gateway does not count any more.
    elsewhere = opened[0]["upload"]["url"].replace(first.gateway_url, second.gateway_url)
    assert (await send({**opened[0]["upload"], "url": elsewhere}, b"\0")).status == 201
    assert (await dora.announce(stream, b"more")).status == 201
    emil = Person(first, "emil")
    hash_ = hashlib.sha256(b"").hexdigest()
    for status in (201, 429):
        answer = await emil.announce(stream, b"", size=24_000_000, sha256=hash_)
        assert answer.status == status
    assert (answer.code, int(answer.headers["Retry-After"]) > 1) == ("rate_limited", True)
    assert (await emil.announce(stream, b"", size=26_000_000, sha256=hash_)).code == "too_large"


async def test_a_disk_that_is_full_takes_no_more(two: tuple[Pipeline, Pipeline]) -> None:
    first, _ = two
    stream, data = room(), secrets.token_bytes(16_000_000)
    fay, gus = Person(first, "fay"), Person(first, "gus")
    await fay.upload(stream, data)
    taken = (await gus.announce(stream, data)).json
    refused = await send(taken["upload"], data)
    assert (refused.status, refused.code) == (507, "disk_full")
    assert await gus.upload(stream, b"what is small finds room")
