"""The JavaScript client of attachments, as it is published, in a plain Node on a real gateway."""

import asyncio
import json
import subprocess
from typing import Any

import pytest

from tests.attachments.people import Person
from tests.attachments.test_attachments import room
from tests.attachments.test_sdk import breaking
from tests.pipeline import Pipeline
from tests.web.test_node import CLIENT, node

__all__ = ["node"]
SIZE = 2_000_000


async def run(node: str, *arguments: str) -> dict[str, Any]:
    command = [node, str(CLIENT / "tests/edge/attach.mjs"), *arguments]
    done = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, timeout=120, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("breaks", [None, 900_000], ids=["at once", "with breaks"])
async def test_a_file_goes_up_and_comes_down(
    node: str, live: Pipeline, ana: Person, ben: Person, breaks: int | None
) -> None:
    stream = room()
    async with breaking(live.gateway_url, after=breaks or 10**9) as gateway:
        put = await run(node, gateway, ana.token, "put", stream, str(SIZE))
        assert put["progress"] == [SIZE, SIZE], put
        assert (await run(node, gateway, ben.token, "get", put["id"]))["code"] == "not_found"
        await ana.publish(stream, put["id"])
        await ben.sees(put["id"])
        got = await run(node, gateway, ben.token, "get", put["id"])
    assert got == {"name": "käse.png", "type": "image/png", "sha256": put["sha256"], "progress": [SIZE, SIZE]}


async def test_what_is_refused_has_its_code(node: str, live: Pipeline, ana: Person) -> None:
    refused = await run(node, live.gateway_url, ana.token, "put", "broadcast:final", "1")
    assert refused["code"] == "forbidden"
