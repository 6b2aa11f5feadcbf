"""Moderation, for programs: muting and banning, reports, and all of a user's data, by way of a gateway.

await Moderation(user="ana").mute("room-study-1", "eve", for_="10m")
await Moderation(user="bob").report("chat:room-study-1", event.id, "rude")
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from http.client import HTTPException
from typing import Any
from urllib.parse import quote

import msgspec

from consumers.client.requests.gateway import Asking
from kernel.errors import TouchlineError
from kernel.problem_json import problem_of


class Moderation(Asking):
    """What moderators do, and what users ask of them. What is refused is raised as TouchlineError."""

    async def mute(self, channel: str, user: str, *, for_: str | None = None) -> dict[str, Any]:
        """A user may not publish in a channel: for a time (`10m`), or until `unmute`. Raises `forbidden`."""
        return await self._moderate(channel, "mute", user, for_)

    async def unmute(self, channel: str, user: str) -> dict[str, Any]:
        """They may again."""
        return await self._moderate(channel, "unmute", user)

    async def ban(self, channel: str, user: str, *, for_: str | None = None) -> dict[str, Any]:
        """A user may not read a channel either. Raises `forbidden`."""
        return await self._moderate(channel, "ban", user, for_)

    async def unban(self, channel: str, user: str) -> dict[str, Any]:
        """They may again."""
        return await self._moderate(channel, "unban", user)

    async def sanctioned(self, channel: str) -> AsyncIterator[dict[str, Any]]:
        """Who is muted or banned in a channel."""
        async for one in self._pages(f"{_channel(channel)}/moderation", "users"):
            yield one

    async def report(self, stream: str, target: str, reason: str) -> None:
        """Report a message (by its id) to those who moderate it. Raises `not_found`, `limit_reached`."""
        await self._ask("POST", f"{_stream(stream)}/reports", {"target": target, "reason": reason})

    async def reports(self, stream: str) -> AsyncIterator[dict[str, Any]]:
        """What was reported there, the latest first: for those who moderate it."""
        async for one in self._pages(f"{_stream(stream)}/reports", "reports"):
            yield one

    async def settle(self, stream: str, *reports: int, done: bool = True) -> None:
        """Say of reports, by their numbers, that they need nothing more; or that they do."""
        await self._ask("PATCH", f"{_stream(stream)}/reports", {"reports": reports, "done": done})

    async def try_words(self, channel: str, *texts: str, blocked: list[str] | None = None) -> list[list[str]]:
        """Which blocked words each text has: those that are set, or these. Raises `forbidden`."""
        body = {"texts": texts, "blocked": blocked}
        found: list[list[str]] = (await self._ask("POST", f"{_channel(channel)}/blocked", body))["found"]
        return found

    async def pin(self, channel: str, target: str) -> None:
        """Keep a message of a channel's chat (by its id) in view; one at a time. Raises `forbidden`."""
        await self._pin(channel, "pin", target)

    async def unpin(self, channel: str, target: str) -> None:
        """It need not be in view any more; nothing where another one was pinned since."""
        await self._pin(channel, "unpin", target)

    async def pinned(self, channel: str) -> dict[str, Any] | None:
        """What is pinned in a channel's chat: `target`, `by`, `at` and the `event` as it may be shown."""
        found: dict[str, Any] | None = (await self._ask("GET", _stream(f"chat:{channel}")))["pinned"]
        return found

    async def erase(self, user: str) -> dict[str, Any]:
        """Take back all that a user has posted; returns what stays on the log, and until when."""
        return await self._ask("DELETE", f"{_user(user)}/data")

    async def export(self, user: str) -> AsyncIterator[dict[str, Any]]:
        """All that is known of a user, a line each. Raises `unavailable` where it is not whole."""
        lines = self._lines(f"{_user(user)}/data")
        while (line := await asyncio.to_thread(next, lines, None)) is not None:
            yield line

    async def _pin(self, channel: str, type_: str, target: str) -> None:
        event = {"type": type_, "data": {"target": target}}
        await self._ask("POST", f"{_stream(f'chat:{channel}')}/events?wait=accepted", event)

    async def _moderate(self, channel: str, do: str, user: str, for_: str | None = None) -> dict[str, Any]:
        body = {"do": do, "user": user, "for": for_}
        return await self._ask("POST", f"{_channel(channel)}/moderation", body)

    def _lines(self, path: str) -> Iterator[dict[str, Any]]:
        with closing(self._connection()) as connection:
            try:
                connection.request("GET", f"{self._path}{path}", None, self._headers)
                response = connection.getresponse()
                if response.status >= 300:
                    raise problem_of(response.read())
                for text in response:
                    line = msgspec.json.decode(text, type=dict[str, Any])
                    if line.get("what") == "error":
                        raise TouchlineError("unavailable", f"It is not all: {line.get('message')}")
                    yield line
            except (OSError, HTTPException) as error:
                raise self._away(error) from error


def _channel(channel: str) -> str:
    return f"/v1/channels/{quote(channel, safe='')}"


def _stream(stream: str) -> str:
    return f"/v1/streams/{quote(stream.replace(':', '/', 1), safe='/')}"


def _user(user: str) -> str:
    return f"/v1/users/{quote(user, safe='')}"
