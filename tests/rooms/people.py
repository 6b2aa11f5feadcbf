"""Somebody at the doors: what they ask over HTTP, and what they say and hear over a WebSocket."""

import asyncio
import contextlib
import itertools
import json
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import quote

from aiohttp import ClientSession
from websockets.asyncio.client import ClientConnection, connect

from tests.pipeline import Pipeline

#: Rooms of these tests: none has the id of another.
NUMBERS = itertools.count(1)
#: For what other processes do in a moment, on a machine that does much else: reached by what fails alone.
PATIENCE_S = 60
#: What may be asked of an edge again, and counts once, or is where somebody is.
_COUNTS_ONCE = frozenset(
    {"publish", "subscribe", "history", "presence", "sync", "inbox", "feed", "nearby", "around", "locate"}
    | {"vote", "ack", "read"}
)


def new_room() -> str:
    return f"r{next(NUMBERS)}"


def stream_of(room: str) -> str:
    return f"chat:room-{room}"


async def until(holds: Callable[[], Awaitable[bool]], within: float = PATIENCE_S) -> None:
    """Ask until it is so: what is said at one door is in force at another one a moment later."""
    async with asyncio.timeout(within):
        while not await holds():  # noqa: ASYNC110 - it asks, each time anew
            await asyncio.sleep(0.05)


async def http(
    pipeline: Pipeline, method: str, path: str, user: str | None, body: Any = None, **more: Any
) -> tuple[int, Any]:
    """Status and JSON of an answer."""
    headers = {} if user is None else {"Touchline-User": quote(user)}
    async with (
        ClientSession(headers=headers) as session,
        session.request(method, f"{pipeline.gateway_url}{path}", json=body, **more) as response,
    ):
        return response.status, await response.json(content_type=None)


async def patiently(
    pipeline: Pipeline, method: str, path: str, user: str | None, body: Any = None
) -> tuple[int, Any]:
    """Status and JSON, asked again while it is `unavailable`: that is said where workers had no processor for
    seconds, and then clients ask again. Only of what counts once, or may be there twice; events get a key.
    """
    where = path.partition("?")[0].rpartition("/")[2]
    if method == "POST" and where == "events":
        body = [_with_key(one) for one in body] if isinstance(body, list) else _with_key(body)
    elif method == "POST" and where not in ("moderation", "reports", "polls"):
        return await http(pipeline, method, path, user, body)
    deadline = time.monotonic() + PATIENCE_S
    while True:
        status, answer = await http(pipeline, method, path, user, body)
        if (status, answer.get("code")) != (503, "unavailable") or time.monotonic() > deadline:
            return status, answer
        await asyncio.sleep(0.1)


def _with_key(event: Any) -> Any:
    return {"key": secrets.token_hex(8), **event}


async def ok(pipeline: Pipeline, method: str, path: str, user: str | None, body: Any = None) -> Any:
    """The JSON of an answer that is none of an error."""
    status, answer = await patiently(pipeline, method, path, user, body)
    assert status < 300, (status, answer)
    return answer


async def refused(
    pipeline: Pipeline, method: str, path: str, user: str | None, body: Any = None
) -> tuple[int, str]:
    """Status and code of an error, which says something."""
    status, answer = await http(pipeline, method, path, user, body)
    assert status >= 400, (status, answer)
    assert answer["detail"]
    return status, answer["code"]


async def create(pipeline: Pipeline, maker: str | None, *members: str, room: str = "", **more: Any) -> str:
    """A room that is in force; its id."""
    body = {"room": room or new_room(), "name": "Study", "members": list(members), **more}
    return str((await ok(pipeline, "POST", "/v1/rooms", maker, body))["room"])


async def change_members(pipeline: Pipeline, by: str, room: str, **what: Any) -> Any:
    return await ok(pipeline, "POST", f"/v1/rooms/{room}/members", by, what)


async def say(
    pipeline: Pipeline, user: str, room: str, text: str, *, again: bool = True, **more: Any
) -> tuple[int, Any]:
    """Post a message over HTTP; status, and its result or the problem. `again`: while it is `unavailable`."""
    path = f"/v1/streams/chat/room-{room}/events"
    post = patiently if again else http
    status, answer = await post(pipeline, "POST", path, user, {"data": {"text": text}, **more})
    return status, answer["results"][0] if "results" in answer else answer


async def said(pipeline: Pipeline, user: str, room: str, text: str) -> int:
    """The seq of a message that counts."""
    status, result = await say(pipeline, user, room, text)
    assert (status, result["ok"]) == (202, True), (status, result)
    return int(result["seq"])


async def history(pipeline: Pipeline, user: str | None, room: str, **query: Any) -> tuple[int, list[str]]:
    """Status, and what somebody may read: texts, and what was done."""
    path = f"/v1/streams/chat/room-{room}/events"
    status, answer = await http(pipeline, "GET", path, user, params={k: str(v) for k, v in query.items()})
    return status, [shown(event) for event in answer.get("events", [])] or [answer.get("code", "")]


def shown(event: dict[str, Any]) -> str:
    return str(event["data"].get("text") or event["data"].get("what"))


async def heard_by(pipeline: Pipeline, way: str, user: str, room: str, *, until: str) -> str:
    """What comes by SSE or polls, up to these words or that it is not theirs."""
    url = pipeline.edge_url.replace("ws://", "http://").removesuffix("/ws")
    query = {"stream": stream_of(room), "after": "0", "user": user, "wait": "1"}
    text = ""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE_S), ClientSession() as session:
            while True:  # a poll is answered with what there is, which may not be all yet
                async with session.get(f"{url}/{way}", params=query) as response:
                    async for part in response.content.iter_any():
                        text += part.decode()
                        if until in text or "not_found" in text:
                            return text
    return text


class Person:
    """Somebody with a WebSocket: what comes is kept in order."""

    def __init__(self, wire: ClientConnection, user: str) -> None:
        self.user, self._wire, self._ids = user, wire, itertools.count(1)
        self.heard: list[dict[str, Any]] = []
        #: When each of them came, in milliseconds.
        self.heard_at: list[float] = []
        self._came = asyncio.Condition()

    async def listen(self) -> None:
        with contextlib.suppress(Exception):
            async for frame in self._wire:
                async with self._came:
                    self.heard += [json.loads(line) for line in str(frame).splitlines()]
                    self.heard_at += [time.time() * 1000] * (len(self.heard) - len(self.heard_at))
                    self._came.notify_all()

    async def ask(self, op: str, **fields: Any) -> dict[str, Any]:
        """Send a request; its reply. Again while that is `unavailable`, as `patiently` does."""
        if op == "publish":
            fields = {"key": secrets.token_hex(8), **fields}
        deadline = time.monotonic() + PATIENCE_S
        while True:
            number = next(self._ids)
            await self._wire.send(json.dumps({"id": number, "op": op, **fields}))
            reply = await self.until(lambda message, asked=number: message.get("id") == asked)
            if reply.get("code") != "unavailable" or op not in _COUNTS_ONCE or time.monotonic() > deadline:
                return reply
            await asyncio.sleep(0.1)

    async def subscribed(self, stream: str, **how: Any) -> bool:
        """Subscribe; whether the edge lets them."""
        return bool((await self.ask("subscribe", stream=stream, **how))["op"] == "subscribed")

    async def send(self, op: str, **fields: Any) -> None:
        """Send a request that wants no reply."""
        await self._wire.send(json.dumps({"op": op, **fields}))

    async def until(self, wanted: Any, within: float = PATIENCE_S) -> dict[str, Any]:
        """The first message of this sort."""
        async with asyncio.timeout(within), self._came:
            while True:
                for message in self.heard:
                    if wanted(message):
                        return message
                await self._came.wait()

    async def event(self, text: str) -> dict[str, Any]:
        """The event that says this."""
        return await self.until(lambda m: m["op"] == "event" and shown(m) == text)

    async def ended(self, room: str) -> dict[str, Any]:
        """That a subscription is over."""
        stream = stream_of(room)
        return await self.until(lambda m: m["op"] == "error" and m.get("stream") == stream and "id" not in m)

    async def closed(self) -> int | None:
        """The code with which the connection ends."""
        async with asyncio.timeout(PATIENCE_S):
            await self._wire.wait_closed()
        return self._wire.close_code

    @property
    def texts(self) -> list[str]:
        return [shown(message) for message in self.heard if message["op"] == "event"]


@contextlib.asynccontextmanager
async def person(
    pipeline: Pipeline, user: str, device: str = "d1", *, edge: str = ""
) -> AsyncIterator[Person]:
    """Somebody who is connected: to the pipeline's edge, or another one."""
    named = f"user={quote(user)}&" if user else ""
    url = f"{edge or pipeline.edge_url}?{named}device={device}"
    async with connect(
        url,
        subprotocols=["touchline.v1"],  # type: ignore[list-item]
        compression=None,
        open_timeout=PATIENCE_S,
        ping_timeout=PATIENCE_S,
    ) as wire:
        who = Person(wire, user)
        listening = asyncio.create_task(who.listen())
        try:
            yield who
        finally:
            listening.cancel()
