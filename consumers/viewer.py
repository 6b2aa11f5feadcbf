"""The Python client for viewers: each event of a stream once, in order, across reconnections.

async with Viewer("ws://127.0.0.1:18081/v1/ws") as viewer:
    async for event in viewer.stream("chat:wc26-final", last=10):
        print(event.seq, event.data)
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncGenerator
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlencode, urlsplit

from consumers.link import MAX_WAITING, Gap, Link, Start, Subscription
from kernel.errors import TouchlineError
from schemas.events import Event

__all__ = ["Gap", "Start", "Viewer"]
_LIVE: Final = Start()
HOME: Final = ""


class Viewer:
    """A connection to an edge that heals itself. Streams may be served by several edges; it follows."""

    def __init__(
        self,
        url: str | list[str],
        *,
        token: str | None = None,
        device: str | None = None,
        seed: int | None = None,
    ) -> None:
        #: Edges behind no balancer: another one is tried when one does not answer.
        self._urls = [url] if isinstance(url, str) else list(url)
        self._token, self._device = token, device
        self.chance = random.Random(seed)  # noqa: S311 - jitter, not secrets
        self._links: dict[str, Link] = {}
        self.user: str | None = None

    async def __aenter__(self) -> Self:
        self._link(HOME)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def connected(self, within_s: float) -> None:
        """Wait until an edge has said welcome. Raises `unavailable` where none does in time."""
        try:
            await asyncio.wait_for(self._link(HOME).opened(), within_s)
        except TimeoutError:
            raise TouchlineError(
                "unavailable",
                f"No edge answers at {' or '.join(self._urls)}.",
                hint="Start one with `touchline up`, or set TOUCHLINE_EDGE_HOST and TOUCHLINE_EDGE_PORT.",
            ) from None

    async def close(self) -> None:
        """Leave all edges."""
        for link in list(self._links.values()):
            await link.close()
        self._links.clear()

    async def stream(
        self, name: str, *, after: int | None = None, last: int | None = None
    ) -> AsyncGenerator[Event]:
        """The events of a stream, each once, in order. Raises TouchlineError where it may not be watched."""
        async with contextlib.aclosing(self.items(name, Start(after, last))) as items:
            async for item in items:
                if isinstance(item, Event):
                    yield item

    async def items(self, name: str, start: Start = _LIVE) -> AsyncGenerator[Event | Gap]:
        """Like `stream`, with the gaps that edges report."""
        subscription = Subscription(name, start)
        self._link(HOME).add(subscription)
        try:
            while True:
                while not subscription.waiting:
                    subscription.news.clear()
                    await subscription.news.wait()
                item = subscription.waiting.popleft()
                if not subscription.room.is_set() and len(subscription.waiting) < MAX_WAITING // 2:
                    subscription.room.set()
                if isinstance(item, TouchlineError):
                    raise item
                yield item
        finally:
            for link in list(self._links.values()):
                link.remove(subscription)

    async def publish(
        self, stream: str, data: dict[str, Any], *, event_type: str | None = None, key: str | None = None
    ) -> str:
        """Post an event; returns its key when Kafka has it."""
        given = {"type": event_type, "key": key}
        reply = await self.request(
            {"op": "publish", "stream": stream, "data": data, **{k: v for k, v in given.items() if v}}
        )
        return str(reply["key"])

    async def request(self, request: dict[str, Any]) -> dict[str, Any]:
        """Any request of the protocol, and its reply. Raises TouchlineError where it is refused."""
        return await self._link(HOME).ask(request)

    # ── for its links ────────────────────────────────────────────────────────────────────────────────

    def _link(self, url: str) -> Link:
        """The link to an edge that one was sent to, or (HOME) to any of those one was given."""
        link = self._links.get(url)
        if link is None:
            link = self._links[url] = Link(self, self._urls if url == HOME else [url])
        return link

    def moved(self, subscription: Subscription, url: str) -> None:
        """A stream is served at another edge."""
        self._link(HOME if self._link(HOME).at == url else url).add(subscription)

    def lost(self, link: Link, subscriptions: list[Subscription]) -> bool:
        """An edge that one was sent to is gone: ask again at home. Whether the link ends with it."""
        home = self._link(HOME)
        if link is home:
            return False
        self._links = {url: other for url, other in self._links.items() if other is not link}
        for subscription in subscriptions:
            home.add(subscription)
        return True

    def address(self, url: str) -> str:
        """The address with the token and the device."""
        given = {"token": self._token, "device": self._device}
        query = urlencode({name: value for name, value in given.items() if value is not None})
        return f"{url}{'&' if urlsplit(url).query else '?'}{query}" if query else url
