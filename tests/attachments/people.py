"""People who send files to one another through a pipeline that asks for tokens."""

import asyncio
import hashlib
import secrets
import time
from collections.abc import Mapping
from io import BytesIO
from typing import Any, NamedTuple

import msgspec
from aiohttp import ClientSession
from websockets.asyncio.client import ClientConnection, connect

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
        url = f"{self._edge}?token={self.token}&device={device}"
        async with connect(url, subprotocols=["touchline.v1"], open_timeout=60):  # type: ignore[list-item]
            async with asyncio.timeout(60):
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
        """Over HTTP; done when the workers have accepted it. Where they have not answered in time, as on a
        busy machine, one asks again, under the same key: of both the first counts."""
        event = {"data": {"text": text, "attachments": list(attachments), **more.pop("data", {})}, **more}
        path = f"/v1/streams/{stream.replace(':', '/')}/events?wait=accepted"
        event.setdefault("key", secrets.token_hex(8))
        async with asyncio.timeout(60):
            while (answer := await self.ask("POST", path, json=event)).status == 503:
                pass
            return answer

    async def send(self, stream: str, *attachments: str, text: str = "") -> dict[str, Any]:
        """Over WebSocket; the reply. Asked again like `publish`."""
        data = {"text": text, "attachments": list(attachments)}
        asked = {
            "op": "publish",
            "stream": stream,
            "data": data,
            "wait": "accepted",
            "key": secrets.token_hex(8),
        }
        url = f"{self._edge}?token={self.token}"
        async with (
            connect(url, subprotocols=["touchline.v1"], open_timeout=60) as socket,  # type: ignore[list-item]
            asyncio.timeout(60),
        ):
            await socket.recv()
            number, reply = 0, {"code": "unavailable"}
            while reply.get("code") == "unavailable":
                number += 1
                await socket.send(msgspec.json.encode({**asked, "id": number}).decode())
                reply = await reply_to(socket, number)
            return reply

    async def sees(self, attachment: str) -> Answer:
        """What it is, once that is known to the gateway: a moment after the message is accepted."""
        async with asyncio.timeout(60):
            while (looked := await self.look(attachment)).status == 404:  # it waits a while itself
                pass
        assert looked.status == 200, looked.body
        return looked

    async def look(self, attachment: str) -> Answer:
        return await self.ask("GET", f"/v1/attachments/{attachment}")

    async def bytes_of(self, attachment: str) -> bytes:
        looked = await self.sees(attachment)
        got = await ask("GET", looked.json["url"])
        assert got.status == 200, got.body
        return got.body


async def reply_to(socket: ClientConnection, number: int) -> dict[str, Any]:
    while True:
        for line in str(await socket.recv()).splitlines():
            if (said := msgspec.json.decode(line)).get("id") == number:
                return dict(said)


async def send(upload: Mapping[str, Any], data: Any, **headers: str) -> Answer:
    """Put bytes where an announcement says, and nothing but what it says."""
    return await ask(upload["method"], upload["url"], data=data, headers={**upload["headers"], **headers})


async def gone(person: Person, attachment: str, *, within_s: float = 60) -> Answer:
    """Wait until somebody who could read it is told that it is not there."""
    async with asyncio.timeout(within_s):
        while (answer := await person.look(attachment)).status == 200:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        return answer
