"""The Python client of attachments, on a real gateway, and through a connection that breaks."""

import asyncio
import hashlib
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from consumers.client.requests.attachments import Attachments
from kernel.errors import TouchlineError
from tests.attachments.people import Person
from tests.attachments.test_attachments import room
from tests.pipeline import Pipeline

DATA = os.urandom(2_000_000)


@asynccontextmanager
async def breaking(to: str, after: int) -> AsyncIterator[str]:
    """What passes on to this address, and breaks each connection after so many bytes, either way."""
    host, _, port = to.removeprefix("http://").rpartition(":")

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        left = after
        while left > 0 and (piece := await reader.read(min(left, 65536))):
            writer.write(piece)
            await writer.drain()
            left -= len(piece)
        writer.transport.abort() if left <= 0 else writer.close()

    async def between(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner, outer = await asyncio.open_connection(host, int(port))
        there, back = asyncio.create_task(pass_on(reader, outer)), asyncio.create_task(pass_on(inner, writer))
        try:
            await asyncio.wait([there, back], return_when=asyncio.FIRST_COMPLETED)
            if there.done() and not there.exception():
                await asyncio.wait([back], timeout=60)
        finally:
            for task in (there, back):
                task.cancel()
            for one in (writer, outer):
                one.transport.abort()
            await asyncio.gather(there, back, return_exceptions=True)

    connections: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.add(asyncio.create_task(between(reader, writer)))

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)


async def test_a_file_goes_up_and_comes_down(
    live: Pipeline, ana: Person, ben: Person, tmp_path: Path
) -> None:
    stream, file = room(), tmp_path / "käse.png"
    file.write_bytes(DATA)
    heard: list[tuple[int, int]] = []
    mine = Attachments(live.gateway_url, token=ana.token)
    attachment = await mine.upload(stream, file, progress=lambda done, size: heard.append((done, size)))
    assert heard[-1] == (len(DATA), len(DATA))
    assert [done for done, _ in heard] == sorted(done for done, _ in heard)
    assert len(heard) > 4
    await ana.publish(stream, attachment)
    await ben.sees(attachment)
    theirs = Attachments(live.gateway_url, token=ben.token, device="phone")
    found = await theirs.look(attachment)
    assert (found.name, found.type, found.size) == ("käse.png", "image/png", len(DATA))
    assert found.sha256 == hashlib.sha256(DATA).hexdigest()
    assert await theirs.fetch(attachment) == DATA
    copy = tmp_path / "copy.png"
    assert await theirs.fetch(attachment, copy) == b""
    assert copy.read_bytes() == DATA
    assert not (tmp_path / "copy.png.part").exists()


async def test_connections_that_break_are_followed_by_others(live: Pipeline, ana: Person) -> None:
    stream = room()
    async with breaking(live.gateway_url, after=900_000) as shaky:
        mine = Attachments(shaky, token=ana.token)
        attachment = await mine.upload(stream, DATA, name="a.bin")
        await ana.publish(stream, attachment)
        await ana.sees(attachment)
        assert await mine.fetch(attachment) == DATA


async def test_refusals_are_errors_with_codes(live: Pipeline, ana: Person) -> None:
    mine = Attachments(live.gateway_url, token=ana.token)
    with pytest.raises(TouchlineError) as refused:
        await mine.look("0" * 32)
    assert refused.value.code == "not_found"
    with pytest.raises(TouchlineError) as refused:
        await mine.upload("broadcast:final", b"x")
    assert refused.value.code == "forbidden"
    with pytest.raises(TouchlineError) as refused:
        await Attachments("http://127.0.0.1:9").upload("chat:final", b"x")
    assert refused.value.code == "unavailable"


async def test_the_command_line_uploads_and_posts(
    live: Pipeline, ana: Person, ben: Person, tmp_path: Path
) -> None:
    stream, files = room(), [tmp_path / "one.txt", tmp_path / "two.png"]
    for file in files:
        file.write_bytes(file.name.encode())
    given = ["attach", *map(str, files), "--stream", stream, "--token", ana.token]
    done = await asyncio.to_thread(live.run, *given, "--json")
    one, two = json.loads(done.stdout)["attachments"]
    assert await ben.bytes_of(one) == b"one.txt"
    assert (await ben.sees(two)).json["type"] == "image/png"
    said = await asyncio.to_thread(live.run, *given[:-1], ana.token, "--text", "look")
    assert said.stdout.startswith(f"Posted on {stream} with ")
