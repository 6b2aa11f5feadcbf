"""TCP proxies that can cut, delay, or swallow: a process of its own, told what to do line by line.

`python -m chaos.faults.proxy` reads JSON lines: `{"link": "to:edge-1", "listen": 1, "to": 2}` opens a link,
`{"link": "to:edge-1", "mode": "cut"}` changes it. Modes: pass, cut (connections end, new ones are refused),
half_open (bytes vanish, nothing is closed), slow (each piece waits `ms`).
"""

import asyncio
import contextlib
import json
import subprocess
import sys
import threading
from typing import Any, Final

_PIECE: Final = 64 * 1024


class Link:
    """One listening port and where it leads."""

    def __init__(self, to: int) -> None:
        self._to = to
        self.mode, self.delay_s = "pass", 0.0
        self._open: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        if self.mode == "cut":
            writer.transport.abort()
            return
        try:
            onward = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:
            writer.transport.abort()
            return
        both = {writer, onward[1]}
        self._open |= both
        try:
            there = asyncio.create_task(self._pump(reader, onward[1]))
            back = asyncio.create_task(self._pump(onward[0], writer))
            await asyncio.wait([there, back], return_when=asyncio.FIRST_COMPLETED)
            for task in (there, back):
                task.cancel()
            await asyncio.gather(there, back, return_exceptions=True)
        finally:
            self._open -= both
            for each in both:
                each.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(_PIECE):
            if self.mode == "slow":
                await asyncio.sleep(self.delay_s)
            if self.mode != "half_open":
                writer.write(piece)
                await writer.drain()

    def change(self, mode: str, ms: float) -> None:
        """From now on. What was swallowed is missing: connections that lived through it end with it."""
        swallowed, self.mode, self.delay_s = self.mode == "half_open", mode, ms / 1000
        if mode == "cut" or swallowed:
            for writer in list(self._open):
                writer.transport.abort()


class Proxies:
    """The process that has the links, as the harness speaks to it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        #: Faults that begin and end at the same time speak from threads of their own.
        self._speaking = threading.Lock()

    def say(self, **command: Any) -> None:
        """Give a command, and wait until it is done."""
        assert self._process.stdin is not None  # noqa: S101 - both are pipes
        assert self._process.stdout is not None  # noqa: S101
        with self._speaking:
            self._process.stdin.write(json.dumps(command) + "\n")
            self._process.stdin.flush()
            if self._process.stdout.readline().strip() != "done":
                raise RuntimeError(f"the proxies did not do {command}")

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None  # noqa: S101
        assert self._process.stdout is not None  # noqa: S101
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


async def _main() -> None:
    loop, commands = asyncio.get_running_loop(), asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    links: dict[str, Link] = {}
    async with contextlib.AsyncExitStack() as stack:
        while line := await commands.readline():
            command = json.loads(line)
            name = command["link"]
            if "listen" in command:
                links[name] = Link(command["to"])
                server = await asyncio.start_server(links[name].serve, "127.0.0.1", command["listen"])
                stack.callback(server.close)
            else:
                links[name].change(command["mode"], command.get("ms", 0.0))
            print("done", flush=True)  # noqa: T201 - it is the answer


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_main())
