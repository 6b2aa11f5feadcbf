"""A receiver of webhooks as others write them: it verifies what comes, and answers as it is told."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple

from aiohttp import web
from standardwebhooks import Webhook

from tests.rooms.people import PATIENCE_S

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class Got(NamedTuple):
    """A post that was verified."""

    id: str
    body: dict[str, Any]

    @property
    def event(self) -> dict[str, Any]:
        event: dict[str, Any] = self.body["data"]
        return event


class Hook:
    """It counts as received what was answered with 2xx."""

    def __init__(self) -> None:
        self.received: list[Got] = []
        self.seen = 0
        self.url, self.secret = "", SECRET
        #: Says what is answered: a status and headers; waits if it wants to.
        self.answer: Callable[[Got], Any] = lambda _: 204
        self._came = asyncio.Condition()

    async def handle(self, request: web.Request) -> web.Response:
        text = await request.text()
        Webhook(self.secret).verify(text, dict(request.headers))
        got = Got(request.headers["webhook-id"], json.loads(text))
        self.seen += 1
        answer = self.answer(got)
        if asyncio.iscoroutine(answer):
            answer = await answer
        status, headers = answer if isinstance(answer, tuple) else (answer, {})
        if 200 <= status < 300:
            async with self._came:
                self.received.append(got)
                self._came.notify_all()
        return web.Response(status=status, headers=headers)

    async def until_ids(self, ids: list[str]) -> None:
        """Each of these has come, and perhaps again: they come at least once."""
        async with asyncio.timeout(2 * PATIENCE_S), self._came:
            await self._came.wait_for(lambda: {got.id for got in self.received} >= {*ids})

    @property
    def count(self) -> int:
        """Events that were received, those of digests too."""
        return sum(got.body["data"].get("count", 1) for got in self.received)

    async def until(self, number: int, within: float = PATIENCE_S) -> list[Got]:
        """So many have come."""
        async with asyncio.timeout(within), self._came:
            await self._came.wait_for(lambda: len(self.received) >= number)
        return self.received


@contextlib.asynccontextmanager
async def receiver() -> AsyncIterator[Hook]:
    hook = Hook()
    app = web.Application()
    app.router.add_post("/hook", hook.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    hook.url = f"http://{host}:{port}/hook"
    try:
        yield hook
    finally:
        await runner.cleanup()
