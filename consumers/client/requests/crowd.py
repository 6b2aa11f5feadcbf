"""Reactions and polls, for programs.

async with Viewer("ws://127.0.0.1:18081/v1/ws", user="ana") as viewer:
    await applaud(viewer, "chat:wc26-final")
    await react(viewer, "chat:wc26-final", "👍", event.id)
    async for news in watch_crowd(viewer, "chat:wc26-final"):
        print(news["op"], news)

ana = Crowd("http://127.0.0.1:18080", user="ana")
poll = await ana.ask("chat:wc26-final", "Who wins?", ["home", "away"], closes_in="90s")
await vote(viewer, "chat:wc26-final", poll, 0)
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from consumers.client.machine.subscription import Start
from consumers.client.requests.gateway import Asking
from consumers.client.viewer import Viewer

APPLAUSE: Final = "👏"
_NEWS: Final = ("reactions", "poll")


class Crowd(Asking):
    """What one user does over HTTP. What is refused is raised as TouchlineError."""

    async def applaud(
        self, stream: str, with_: str = APPLAUSE, *, n: int = 1, key: str | None = None
    ) -> None:
        """Applaud a stream, so many times; Kafka has it then. With a `key` it may be tried again."""
        await self._ask("POST", _path(stream, "reactions"), {"with": with_, "n": n, "key": key})

    async def react(self, stream: str, with_: str, target: str, *, off: bool = False) -> None:
        """React to an event, once and for all; `off` takes it back. Raises `not_found`."""
        await self._ask("POST", _path(stream, "reactions"), {"with": with_, "target": target, "off": off})

    async def totals(self, stream: str, target: str | None = None) -> dict[str, Any]:
        """What reactions have come to, exactly: `totals`, `mine`, `as_of`."""
        query = "" if target is None else f"?target={quote(target)}"
        return await self._ask("GET", _path(stream, f"reactions{query}"))

    async def ask(
        self, stream: str, question: str, options: Sequence[str], *, closes_in: str | None = None
    ) -> str:
        """Begin a poll; its id, once it may be voted on."""
        asked = {"question": question, "options": list(options), "closes_in": closes_in}
        return str((await self._ask("POST", _path(stream, "polls"), asked))["poll"])

    async def poll(self, stream: str, poll: str) -> dict[str, Any]:
        """How a poll stands, exactly. Raises `not_found`."""
        return await self._ask("GET", _path(stream, f"polls/{quote(poll)}"))

    async def vote(self, stream: str, poll: str, option: int) -> None:
        """Vote, or for another option than before. Raises `ended`, `bad_request`, `not_found`."""
        await self._ask("PUT", _path(stream, f"polls/{quote(poll)}/vote"), {"option": option})

    async def close(self, stream: str, poll: str) -> dict[str, Any]:
        """Close a poll: its maker does, or who leads; the result."""
        return await self._ask("DELETE", _path(stream, f"polls/{quote(poll)}"))


async def applaud(
    viewer: Viewer, stream: str, with_: str = APPLAUSE, *, n: int = 1, key: str | None = None
) -> None:
    """Applaud a stream. Where the connection is lost before it is answered, it raises `not_delivered`: nobody
    knows whether it counted. With a `key` it is sent again, and counts once."""
    asked = {"op": "react", "stream": stream, "with": with_, "n": n}
    await viewer.request(asked if key is None else {**asked, "key": key})


async def react(viewer: Viewer, stream: str, with_: str, target: str, *, off: bool = False) -> None:
    """React to an event, once and for all; `off` takes it back. Raises `not_found`."""
    await viewer.request({"op": "react", "stream": stream, "with": with_, "target": target, "off": off})


async def vote(viewer: Viewer, stream: str, poll: str, option: int) -> None:
    """Vote, or for another option than before; it counts then. Raises `ended`, `bad_request`, `not_found`."""
    await viewer.request({"op": "vote", "stream": stream, "poll": poll, "option": option})


async def watch_crowd(viewer: Viewer, stream: str) -> AsyncGenerator[Mapping[str, Any]]:
    """What reactions and votes of a stream come to, as edges tell it: `reactions` and `poll`. The stream must
    not be watched besides: who watches its events asks for `reactions` there, and hears it by `on_told`."""
    came: asyncio.Queue[Mapping[str, Any] | BaseException] = asyncio.Queue()

    def told(message: Mapping[str, Any]) -> None:
        if message["op"] in _NEWS and message.get("stream") == stream:
            came.put_nowait(message)

    async def watch() -> None:
        try:
            async with contextlib.aclosing(viewer.items(stream, Start(reactions=True))) as items:
                async for _ in items:
                    pass
        except Exception as error:
            came.put_nowait(error)

    end, watching = viewer.on_told(told), asyncio.create_task(watch())
    try:
        while True:
            news = await came.get()
            if isinstance(news, BaseException):
                raise news
            yield news
    finally:
        end()
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


def _path(stream: str, rest: str) -> str:
    kind, _, channel = stream.partition(":")
    return f"/v1/streams/{quote(kind, safe='')}/{quote(channel, safe='~')}/{rest}"
