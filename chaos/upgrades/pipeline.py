"""A pipeline that one version's `touchline up` runs, and its doors as somebody uses them who may do all."""

import asyncio
import contextlib
import subprocess
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
from aiohttp import ClientSession

from chaos.upgrades.kept import Event, Events
from kernel.access.tokens import ACTIONS, EVERYTHING, sign
from kernel.errors import TouchlineError
from kernel.log.positions import Stream
from kernel.settings.reading import PREFIX

#: So long all of it may take to start.
_UP_S: Final = 600.0
_TOKEN_S: Final = 3600.0
_PAGE: Final = 500
_SEARCH_PAGE: Final = 100
_OPERATOR: Final = "operator"


class Pipeline(NamedTuple):
    """A data directory with ports of its own."""

    #: What runs `touchline`.
    command: tuple[str, ...]
    environment: Mapping[str, str]
    directory: Path

    async def run(self, *arguments: str) -> None:
        """A command. Raises `start_failed`."""
        done = await asyncio.to_thread(
            lambda: subprocess.run(
                (*self.command, *arguments),
                check=False, text=True, capture_output=True, timeout=_UP_S,
                cwd=self.directory, env=dict(self.environment),
            )
        )  # fmt: skip
        if done.returncode != 0:
            said = done.stderr[-2000:]
            raise TouchlineError("start_failed", f"`touchline {arguments[0]}` did not succeed: {said}")

    @contextlib.asynccontextmanager
    async def up(self) -> AsyncIterator[None]:
        """Up within, and down after it."""
        try:
            await self.run("up", "--detach")
            yield
        finally:
            await self.run("down")


class Doors:
    """The gateway and the edge."""

    def __init__(self, http: ClientSession, settings: Mapping[str, str]) -> None:
        """`settings`: as in the environment, with the ports and the secret by which tokens are signed."""
        self._http, self._secret = http, settings[f"{PREFIX}AUTH_SECRET"]
        self._gateway = f"http://127.0.0.1:{settings[f'{PREFIX}GATEWAY_PORT']}"
        self._edge = f"ws://127.0.0.1:{settings[f'{PREFIX}EDGE_PORT']}/v1/ws"

    async def ask(self, method: str, path: str, body: Any = None, **query: Any) -> bytes:
        """The answer's body. Raises `unavailable` where it is no success."""
        status, said = await self._ask(method, path, body, query)
        if status >= 300:
            raise TouchlineError("unavailable", f"{path} answered {status}: {said[:500]!r}")
        return said

    async def post(self, stream: Stream, events: Sequence[Event], **query: Any) -> Sequence[Event]:
        """A result for each event, which may be a refusal. Raises `unavailable` where there is none."""
        path = f"/v1/streams/{stream.kind}/{stream.channel}/events"
        status, said = await self._ask("POST", path, events, query)
        results: Sequence[Event] | None = msgspec.json.decode(said).get("results")
        if results is None:
            raise TouchlineError("unavailable", f"{path} answered {status}: {said[:500]!r}")
        return results

    async def history(self, streams: Sequence[Stream]) -> Events:
        """The whole past of these streams."""
        return {str(stream): await self._history(stream) for stream in streams}

    async def _history(self, stream: Stream) -> list[Event]:
        found: list[Event] = []
        path, more = f"/v1/streams/{stream.kind}/{stream.channel}/events", True
        while more:
            after = found[-1]["seq"] if found else 0
            page = msgspec.json.decode(await self.ask("GET", path, after=after, limit=_PAGE))
            found += page["events"]
            more = page["more"]
        return found

    async def found(self, streams: Sequence[Stream]) -> dict[str, set[str]]:
        """The ids of all that search finds in these streams."""
        return {str(stream): await self._found(stream) for stream in streams}

    async def _found(self, stream: Stream) -> set[str]:
        ids: set[str] = set()
        asked = {"kind": stream.kind, "channel": stream.channel, "sort": "oldest", "limit": _SEARCH_PAGE}
        while True:
            page = msgspec.json.decode(await self.ask("GET", "/v1/search", **asked))
            ids |= {hit["event"]["id"] for hit in page["hits"]}
            if page["next"] is None:
                return ids
            asked["cursor"] = page["next"]

    async def settings(self, channel: str) -> Mapping[str, Any]:
        """What is set for a channel."""
        shown = msgspec.json.decode(await self.ask("GET", f"/v1/channels/{channel}"))
        settings: Mapping[str, Any] = shown["settings"]
        return settings

    async def acknowledge(self, user: str, device: str, stream: Stream, seq: int) -> None:
        """A user's device has it up to there. Raises `unavailable` where the edge does not say that it is."""
        url, headers = f"{self._edge}?user={user}&device={device}", self._headers(user)
        async with self._http.ws_connect(url, protocols=("touchline.v1",), headers=headers) as wire:
            await wire.send_json({"op": "ack", "stream": str(stream), "seq": seq, "id": 1})
            async for frame in wire:
                for said in map(msgspec.json.decode, str(frame.data).splitlines()):
                    if said.get("id") == 1 and said["op"] == "ok":
                        return
                    if said["op"] == "error":
                        raise TouchlineError("unavailable", f"The edge refused an `ack`: {said}")
        raise TouchlineError("unavailable", "The edge ended a connection before it answered an `ack`.")

    async def place(self, user: str, device: str, stream: Stream) -> int | None:
        """Up to where a user's device is known to have a stream."""
        for line in (await self.ask("GET", f"/v1/users/{user}/data")).splitlines():
            said = msgspec.json.decode(line)
            if said["what"] == "place" and said["stream"] == str(stream):
                seq: int | None = said["acked"].get(device)
                return seq
        return None

    async def _ask(self, method: str, path: str, body: Any, query: Mapping[str, Any]) -> tuple[int, bytes]:
        asked = {name: str(value) for name, value in query.items()}
        url, headers = f"{self._gateway}{path}", self._headers(_OPERATOR)
        async with self._http.request(method, url, json=body, params=asked, headers=headers) as response:
            return response.status, await response.read()

    def _headers(self, user: str) -> dict[str, str]:
        now_s, can = time.time(), dict.fromkeys(map(str, ACTIONS), EVERYTHING)
        token = sign(user, can, expires_s=now_s + _TOKEN_S, issued_s=now_s, key=self._secret)
        return {"Authorization": f"Bearer {token}"}
