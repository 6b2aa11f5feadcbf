"""Follows, feeds, notifications and webhooks, for programs.

ana = Feeds("http://127.0.0.1:18080", user="ana")
await ana.follow("wc26-final")
async for event in ana.past():              # what the followed channels have posted, the newest first
    print(event["type"], event["data"])
async with Viewer("ws://127.0.0.1:18081/v1/ws", user="ana") as viewer:
    async for event in watch_feed(viewer):  # and what they post from now on
        print(event["type"], event["data"])
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote, urlencode

from consumers.client.machine.host import Live
from consumers.client.requests.gateway import Asking
from consumers.client.viewer import Viewer

_PAGE: Final = 200
#: Events of which it is remembered that they were told.
_REMEMBERED: Final = 1000


class Feeds(Asking):
    """What one user does with follows and notifications. What is refused is raised as TouchlineError."""

    async def follow(self, channel: str) -> dict[str, Any]:
        """Follow a channel. Raises `forbidden`, or `too_many`."""
        return await self._ask("PUT", f"/v1/follows/{_quoted(channel)}")

    async def unfollow(self, channel: str) -> None:
        """Follow it no more."""
        await self._ask("DELETE", f"/v1/follows/{_quoted(channel)}")

    async def follows(self) -> AsyncIterator[dict[str, Any]]:
        """The channels that one follows."""
        async for row in self._pages("/v1/follows", "follows"):
            yield row

    async def followers(self, channel: str) -> int:
        """How many follow a channel."""
        answer = await self._ask("GET", f"/v1/channels/{_quoted(channel)}/followers")
        return int(answer["followers"])

    async def page(
        self, *, before: str | None = None, after: str | None = None, limit: int = 50
    ) -> tuple[list[dict[str, Any]], bool]:
        """Events of the feed, the newest first, and whether there are more in this direction."""
        given = {"before": before, "after": after, "limit": str(limit)}
        query = urlencode({name: value for name, value in given.items() if value is not None})
        answer = await self._ask("GET", f"/v1/feed?{query}")
        return list(answer["events"]), bool(answer["more"])

    async def past(self) -> AsyncIterator[dict[str, Any]]:
        """All of the feed, the newest event first."""
        before, more = None, True
        while more:
            events, more = await self.page(before=before, limit=_PAGE)
            for event in events:
                yield event
                before = event["id"]

    async def notifications(self) -> dict[str, Any]:
        """What one wants to be told."""
        return await self._ask("GET", "/v1/notifications")

    async def set_notifications(
        self, types: Mapping[str, bool] | None = None, *, quiet: str | None = None, **more: Any
    ) -> dict[str, Any]:
        """Say what one wants to be told, and when not (`22:00-07:00 Europe/Paris`); `webhook` and `push` as
        the HTTP API has them: they stay as they are where they are not named."""
        return await self._ask("PUT", "/v1/notifications", {"types": types or {}, "quiet": quiet, **more})

    async def set_webhook(
        self,
        id_: str,
        url: str,
        *,
        streams: Sequence[str] = (),
        users: Sequence[str] = (),
        types: Sequence[str] = (),
        secret: str | None = None,
    ) -> dict[str, Any]:
        """Have events of streams, or notifications of users, posted to an address. Without a `secret` one is
        made up, and told in the answer, once."""
        lists = {"streams": list(streams), "users": list(users), "types": list(types)}
        body = {"url": url, "secret": secret} | {name: value for name, value in lists.items() if value}
        return await self._ask("PUT", f"/v1/webhooks/{_quoted(id_)}", body)

    async def webhook(self, id_: str) -> dict[str, Any]:
        """A webhook, without its secret. Raises `not_found`."""
        return await self._ask("GET", f"/v1/webhooks/{_quoted(id_)}")

    async def webhooks(self) -> list[dict[str, Any]]:
        """All webhooks of what one administers."""
        return list((await self._ask("GET", "/v1/webhooks"))["webhooks"])

    async def remove_webhook(self, id_: str) -> None:
        """Post nothing more there."""
        await self._ask("DELETE", f"/v1/webhooks/{_quoted(id_)}")

    async def retry_webhook(self, id_: str) -> None:
        """Try again now what has failed."""
        await self._ask("POST", f"/v1/webhooks/{_quoted(id_)}/retry")


async def watch_feed(viewer: Viewer, *, last: int = 0) -> AsyncGenerator[dict[str, Any]]:
    """What the followed channels post, as it comes, and before it the `last` events that there were.

    After a connection was lost it goes on where it was: nothing is missing, nothing is there twice.
    """
    came: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()
    told: dict[str, None] = {}

    def fresh(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        found = [event for event in reversed(events) if event["id"] not in told]
        told.update(dict.fromkeys(event["id"] for event in found))
        for old in list(told)[:-_REMEMBERED]:
            del told[old]
        return found

    def hear(message: Mapping[str, Any]) -> None:
        if message["op"] == "feed":
            came.put_nowait(message)

    with contextlib.ExitStack() as stack:
        stack.callback(viewer.on_told(hear))
        stack.enter_context(viewer.statuses(lambda status: came.put_nowait({"op": "", "status": status})))
        newest = ""
        try:
            first = await viewer.request({"op": "feed", "limit": max(1, min(last, 500))})
            newest = max((event["id"] for event in first["events"]), default="0", key=int)
            for event in fresh(first["events"])[-last:] if last else ():
                yield event
            if not last:
                fresh(first["events"])
            while True:
                message = await came.get()
                again = message["op"] == "" and isinstance(message["status"], Live)
                if message["op"] == "feed":
                    for event in fresh(message["events"]):
                        newest = max(newest, event["id"], key=int)
                        yield event
                if again or message.get("more"):
                    more = True
                    while more:
                        page = await viewer.request({"op": "feed", "after": newest, "limit": 500})
                        for event in fresh(page["events"]):
                            newest = max(newest, event["id"], key=int)
                            yield event
                        more = bool(page["more"])
        finally:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(viewer.request({"op": "feed", "off": True}), 2)


def _quoted(name: str) -> str:
    return quote(name, safe="")
