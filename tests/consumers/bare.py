"""A client that knows nothing but WebSockets and docs/protocol.md."""

import asyncio
import contextlib
import json
from typing import Any

from websockets.asyncio.client import ClientConnection, connect


class Bare:
    """A client that knows nothing but WebSockets."""

    def __init__(self, wire: ClientConnection) -> None:
        self.wire = wire
        self._lines: list[dict[str, Any]] = []

    async def say(self, **fields: Any) -> None:
        await self.wire.send(json.dumps(fields))

    async def hear(self, op: str, within: float = 60) -> dict[str, Any]:
        """The next message of this sort; presence, which comes by itself, is passed over."""
        async with asyncio.timeout(within):
            while (message := await self.any())["op"] != op:
                assert message["op"] == "presence", message
            return message

    async def any(self) -> dict[str, Any]:
        """The next message."""
        while not self._lines:
            self._lines = [json.loads(line) for line in (await self.wire.recv()).splitlines()]
        return self._lines.pop(0)


@contextlib.asynccontextmanager
async def bare(url: str, **options: Any) -> Any:
    # On a busy machine either end may stand for a while: whoever is away the heartbeats of the edge find.
    options = {"open_timeout": 60, "ping_timeout": None, **options}
    async with connect(url, subprotocols=["touchline.v1"], compression=None, **options) as wire:  # type: ignore[list-item]
        client = Bare(wire)
        yield client, await client.hear("welcome")
