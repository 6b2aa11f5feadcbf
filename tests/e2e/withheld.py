"""A way to a real Kafka on which brokers seem not to give producers their numbers for a while."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from typing import Final

#: InitProducerId, as Kafka's protocol numbers requests.
_GIVE_NUMBER: Final = 22


class Withheld:
    """Passes all on; between `hold` and `let_go` all but these requests, which wait.

    Answers may come in any order: each names its request.
    """

    def __init__(self, listen: int, to: int) -> None:
        self._listen, self._to = listen, to
        self._loop = asyncio.new_event_loop()
        self._open = asyncio.Event()
        self._open.set()

    async def serve(self) -> None:
        server = await asyncio.start_server(self._connected, "127.0.0.1", self._listen)
        async with server:
            await server.serve_forever()

    def hold(self) -> None:
        self._loop.call_soon_threadsafe(self._open.clear)

    def let_go(self) -> None:
        self._loop.call_soon_threadsafe(self._open.set)

    def run(self) -> None:
        """In a thread of its own."""
        asyncio.set_event_loop(self._loop)
        with contextlib.suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self.serve())
        self._loop.close()

    def stop(self) -> None:
        def cancel() -> None:
            for task in asyncio.all_tasks(self._loop):
                task.cancel()

        self._loop.call_soon_threadsafe(cancel)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            back, onward = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:
            writer.transport.abort()
            return
        pumps = [
            asyncio.create_task(self._requests(reader, onward)),
            asyncio.create_task(_pump(back, writer)),
        ]
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
        for each in (writer, onward):
            each.transport.abort()

    async def _requests(self, reader: asyncio.StreamReader, onward: asyncio.StreamWriter) -> None:
        late: set[asyncio.Task[None]] = set()
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                size = await reader.readexactly(4)
                request = await reader.readexactly(int.from_bytes(size))
                if int.from_bytes(request[:2]) == _GIVE_NUMBER and not self._open.is_set():
                    late.add(asyncio.create_task(self._later(onward, size + request)))
                else:
                    onward.write(size + request)
                    await onward.drain()

    async def _later(self, onward: asyncio.StreamWriter, request: bytes) -> None:
        await self._open.wait()
        onward.write(request)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(64 * 1024):
        writer.write(piece)
        await writer.drain()


@contextlib.contextmanager
def withheld(listen: int, to: int) -> Iterator[Withheld]:
    """From this port to that one."""
    way = Withheld(listen, to)
    thread = threading.Thread(target=way.run, daemon=True)
    thread.start()
    try:
        yield way
    finally:
        way.stop()
        thread.join()
