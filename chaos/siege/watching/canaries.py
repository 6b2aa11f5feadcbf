"""Ordinary users beside the attackers: they post, watch, search and read, and note how long each takes."""

import asyncio
import contextlib
import json
import time
from collections import defaultdict
from typing import Final

from aiohttp import ClientError, ClientSession, ClientTimeout

from consumers.client.viewer import Viewer
from kernel.access.tokens import sign

CHANNELS: Final = ("canary-1", "canary-2")
KINDS: Final = ("chat", "broadcast", "location")
_DATA: Final = {
    "chat": {"text": "canary sings"},
    "broadcast": {"note": "canary"},
    "location": {"lat": 1.0, "lon": 2.0},
}
_EVERY_S: Final = 0.25
_ASK_S: Final = 15.0
_FAILED: Final = (ClientError, OSError, TimeoutError)
MAY: Final = dict.fromkeys(("subscribe", "publish", "history", "search"), ("*:canary-*",))


class Canaries:
    """What they have measured: delays of events, and of requests by what was asked; in milliseconds."""

    def __init__(self, gateway: str, edges: list[str], secret: str) -> None:
        self._gateway, self._edges = gateway, edges
        self._token = sign("canary", MAY, expires_s=time.time() + 7200, issued_s=time.time(), key=secret)
        self._posted: dict[str, float] = {}
        #: Key of an event that Kafka has taken -> the edges that have shown it.
        self._shown: defaultdict[str, set[int]] = defaultdict(set)
        self._taken: dict[str, float] = {}
        self.delays: list[float] = []
        self.asked: defaultdict[str, list[float]] = defaultdict(list)
        self.failed: defaultdict[str, int] = defaultdict(int)
        self._number = 0

    def fresh(self) -> tuple[list[float], dict[str, list[float]], dict[str, int]]:
        """What was measured since it was asked last."""
        found = (self.delays, dict(self.asked), dict(self.failed))
        self.delays, self.asked, self.failed = [], defaultdict(list), defaultdict(int)
        return found

    def unseen(self, older_than_s: float) -> list[str]:
        """Events that were taken so long ago, with the edges whose viewer has not seen them. Positions may
        be passed over for newer ones."""
        until, every = time.monotonic() - older_than_s, set(range(len(self._edges)))
        return [
            f"{key}, {time.monotonic() - at:.0f} s old, on {sorted(self._edges[one] for one in missing)}"
            for key, at in self._taken.items()
            if at < until and not key.startswith("location") and (missing := every - self._shown[key])
        ]

    async def run(self) -> None:
        """Until cancelled."""
        headers = {"Authorization": f"Bearer {self._token}"}
        async with (
            ClientSession(headers=headers, timeout=ClientTimeout(total=_ASK_S)) as http,
            asyncio.TaskGroup() as group,
        ):
            for number, url in enumerate(self._edges):
                group.create_task(self._watch(number, url))
            for channel in CHANNELS:
                group.create_task(self._post(http, channel))
                group.create_task(self._look(http, channel))

    async def _post(self, http: ClientSession, channel: str) -> None:
        while True:
            for kind in KINDS:
                self._number += 1
                key = f"{kind}-{channel}-{self._number}"
                event = {"key": key, "data": _DATA[kind], **({"type": "note"} if kind == "broadcast" else {})}
                self._posted[key] = time.monotonic()
                url = f"{self._gateway}/v1/streams/{kind}/{channel}/events"
                if await self._ask("post", http, url, event):
                    self._taken[key] = time.monotonic()
                await asyncio.sleep(_EVERY_S)

    async def _look(self, http: ClientSession, channel: str) -> None:
        while True:
            await self._ask("history", http, f"{self._gateway}/v1/streams/chat/{channel}/events?limit=20")
            await asyncio.sleep(_EVERY_S)
            await self._ask("search", http, f"{self._gateway}/v1/search?q=canary&channel={channel}&limit=10")
            await asyncio.sleep(_EVERY_S)

    async def _ask(self, what: str, http: ClientSession, url: str, event: object = None) -> bool:
        began, fine = time.monotonic(), False
        with contextlib.suppress(*_FAILED):
            method = "GET" if event is None else "POST"
            async with http.request(method, url, json=event) as answer:
                said = await answer.read()
                if what == "search" and answer.status == 200:
                    self.asked["(search itself)"].append(json.loads(said)["took_ms"])
                fine = answer.status in (200, 202)
        self.asked[what].append((time.monotonic() - began) * 1000)
        if not fine:
            self.failed[what] += 1
        return fine

    async def _watch(self, number: int, url: str) -> None:
        async with Viewer(url, token=self._token) as viewer, asyncio.TaskGroup() as group:
            for channel in CHANNELS:
                for kind in KINDS:
                    group.create_task(self._read(viewer, number, f"{kind}:{channel}"))

    async def _read(self, viewer: Viewer, number: int, stream: str) -> None:
        # From the start: the first may be posted before they watch.
        async for event in viewer.stream(stream, after=0):
            at = self._posted.get(event.key or "")
            if at is not None:
                self._shown[event.key or ""].add(number)
                self.delays.append((time.monotonic() - at) * 1000)
