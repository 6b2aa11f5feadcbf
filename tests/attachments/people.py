"""People who send files to one another through a pipeline that asks for tokens."""

import asyncio
import hashlib
import time
from collections.abc import Mapping
from io import BytesIO
from typing import Any, NamedTuple

import msgspec
from aiohttp import ClientSession
from websockets.asyncio.client import connect

from kernel.access.tokens import sign
from tests.pipeline import Pipeline

SECRET = "0123456789abcdef0123456789abcdef"
MAY = {"subscribe": ("chat:*",), "publish": ("chat:*",), "history": ("chat:*",)}


class Answer(NamedTuple):
    """What a server says."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    @property
    def code(self) -> str:
        """The code of a refusal."""
        return str(self.json["code"])


async def ask(method: str, url: str, **given: Any) -> Answer:
    if isinstance(given.get("data"), bytes):
        given["data"] = BytesIO(given["data"])
    async with ClientSession() as http, http.request(method, url, **given) as answer:
        return Answer(answer.status, answer.headers.copy(), await answer.read())


class Person:
    """Somebody with a token."""

    def __init__(
        self, pipeline: Pipeline, user: str, *, gateway: str = "", can: Mapping[str, tuple[str, ...]] = MAY
    ) -> None:
        self.user, self._gateway, self._edge = user, gateway or pipeline.gateway_url, pipeline.edge_url
        self.token = sign(user, can, expires_s=time.time() + 600, key=SECRET)

    async def ask(self, method: str, path: str, *, device: str = "", **given: Any) -> Answer:
        headers = {"Authorization": f"Bearer {self.token}", **given.pop("headers", {})}
        if device:
            headers["Touchline-Device"] = device
        return await ask(method, f"{self._gateway}{path}", headers=headers, **given)

    async def comes(self, device: str) -> None:
        """Connect with a device, and go again once it is known."""
        async with connect(f"{self._edge}?token={self.token}&device={device}", subprotocols=["touchline.v1"]):  # type: ignore[list-item]
            async with asyncio.timeout(20):
                while device not in str((await self.ask("GET", "/v1/devices")).body):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)

    async def announce(self, stream: str, data: bytes, *, device: str = "", **over: Any) -> Answer:
        said = {
            "stream": stream,
            "name": "a.png",
            "type": "image/png",
            "size": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
        }
        return await self.ask("POST", "/v1/attachments", device=device, json={**said, **over})

    async def upload(self, stream: str, data: bytes, **over: Any) -> str:
        """Announce it, and put it there."""
        taken = await self.announce(stream, data, **over)
        assert taken.status == 201, taken.body
        put = await send(taken.json["upload"], data)
        assert put.status in (200, 201, 204), put.body
        return str(taken.json["attachment"])

    async def publish(self, stream: str, *attachments: str, text: str = "", **more: Any) -> Answer:
        """Over HTTP; done when the workers have accepted it."""
        event = {"data": {"text": text, "attachments": list(attachments), **more.pop("data", {})}, **more}
        path = f"/v1/streams/{stream.replace(':', '/')}/events?wait=accepted"
        return await self.ask("POST", path, json=event)

    async def send(self, stream: str, *attachments: str, text: str = "") -> dict[str, Any]:
        """Over WebSocket; the reply."""
        async with connect(f"{self._edge}?token={self.token}", subprotocols=["touchline.v1"]) as socket:  # type: ignore[list-item]
            await socket.recv()
            data = {"text": text, "attachments": list(attachments)}
            asked = {"id": 7, "op": "publish", "stream": stream, "data": data, "wait": "accepted"}
            await socket.send(msgspec.json.encode(asked).decode())
            async with asyncio.timeout(15):
                while True:
                    for line in str(await socket.recv()).splitlines():
                        if (said := msgspec.json.decode(line)).get("id") == 7:
                            return dict(said)

    async def look(self, attachment: str) -> Answer:
        return await self.ask("GET", f"/v1/attachments/{attachment}")

    async def bytes_of(self, attachment: str) -> bytes:
        looked = await self.look(attachment)
        assert looked.status == 200, looked.body
        got = await ask("GET", looked.json["url"])
        assert got.status == 200, got.body
        return got.body


async def send(upload: Mapping[str, Any], data: Any, **headers: str) -> Answer:
    """Put bytes where an announcement says, and nothing but what it says."""
    return await ask(upload["method"], upload["url"], data=data, headers={**upload["headers"], **headers})


async def gone(person: Person, attachment: str, *, within_s: float = 30) -> Answer:
    """Wait until somebody who could read it is told that it is not there."""
    async with asyncio.timeout(within_s):
        while (answer := await person.look(attachment)).status == 200:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        return answer
