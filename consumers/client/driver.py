"""Runs the client's state machine on real sockets and timers, and hands what comes of it to whoever waits."""

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from functools import partial
from math import inf
from typing import Any, Final

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI
from websockets.typing import Subprotocol

from consumers.client.machine.core import Core
from consumers.client.machine.host import Closed, Gap, Live, Refused, Status
from consumers.client.machine.timing import CONNECT_MS
from consumers.protocol.messages import SUBPROTOCOL
from kernel.clock import Clock
from kernel.errors import TouchlineError
from kernel.process.logs import get_logger
from schemas.events import Event

_log = get_logger("touchline.viewer")
#: Events that wait for a slow reader before the edge is asked to hold the rest back.
MAX_WAITING: Final = 10_000
_ABNORMAL: Final = 1006
_FAREWELL_S: Final = 1.0

Token = str | Callable[[], Awaitable[str]]
Item = Event | Gap | TouchlineError
Told = Callable[[Mapping[str, Any]], None]


class Reader:
    """What came of one stream and was not read yet."""

    def __init__(self) -> None:
        self._items: deque[Item] = deque()
        self._news = asyncio.Event()
        self._full = False

    def put(self, item: Item) -> bool:
        """Add one; whether that was the one with which it is full."""
        self._items.append(item)
        self._news.set()
        filled = not self._full and len(self._items) >= MAX_WAITING
        self._full |= filled
        return filled

    async def take(self) -> Item:
        while not self._items:
            self._news.clear()
            await self._news.wait()
        return self._items.popleft()

    def has_room_again(self) -> bool:
        """Whether it was full and is no more: half of it was read."""
        again = self._full and len(self._items) <= MAX_WAITING // 2
        self._full &= not again
        return again


class Driver:
    """What the core asks of the host."""

    def __init__(
        self,
        urls: Sequence[str],
        address: Callable[[str], str],
        token: Token | None,
        seed: int | None,
        clock: Clock,
    ) -> None:
        self._address, self._token, self._clock = address, token, clock
        self._chance = random.Random(seed)  # noqa: S311 - jitter, not secrets
        self.core = Core(urls, self, has_token=token is not None)
        self.readers: dict[str, Reader] = {}
        self.answers: dict[int, asyncio.Future[Mapping[str, Any]]] = {}
        #: Who reads what comes of all rooms, and who what is told of them.
        self.together: Reader | None = None
        self.listeners: dict[Told, None] = {}
        self.latest: Status = Closed()
        self.on_status: list[Callable[[Status], object]] = []
        #: An edge has said welcome, or that it will not.
        self.answered = asyncio.Event()
        #: What is to be sent on each connection, in order; None: close it.
        self._outgoing: dict[int, asyncio.Queue[bytes | None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._due = inf

    def act(self, change: Callable[[float], object]) -> None:
        """All that happens goes through here: first the change, then the timer for what is due next."""
        loop = asyncio.get_running_loop()
        try:
            change(self._monotonic_ms())
        finally:
            due = self.core.deadline
            if due != self._due:
                if self._timer is not None:
                    self._timer.cancel()
                self._due = due
                wait_s = (due - self._monotonic_ms()) / 1000
                self._timer = None if due == inf else loop.call_later(max(0.0, wait_s), self._tick)

    async def end(self) -> None:
        """Leave all edges. What was sent last is given a moment; a dead edge is not waited for."""
        self.act(lambda _: self.core.stop())
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_FAREWELL_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # ── what the core asks for ───────────────────────────────────────────────────────────────────────

    def open(self, connection: int, url: str) -> None:
        outgoing = self._outgoing[connection] = asyncio.Queue()
        self._spawn(self._converse(connection, self._address(url), outgoing))

    def send(self, connection: int, message: Mapping[str, Any]) -> None:
        if (outgoing := self._outgoing.get(connection)) is not None:
            outgoing.put_nowait(msgspec.json.encode(message))

    def close(self, connection: int, code: int) -> None:  # noqa: ARG002 - always the normal one
        if (outgoing := self._outgoing.get(connection)) is not None:
            outgoing.put_nowait(None)

    def random(self) -> float:
        return self._chance.random()

    def wall_ms(self) -> float:
        return self._clock.now_ms()

    def _monotonic_ms(self) -> float:
        return self._clock.monotonic() * 1000

    def want_token(self) -> None:
        self._spawn(self._fetch_token())

    # ── what the core tells ──────────────────────────────────────────────────────────────────────────

    def event(self, stream: str, event: Event) -> None:
        reader = self.readers.get(stream)
        if reader is None:
            if self.together is not None:
                self.together.put(event)
        elif reader.put(event):
            self.core.pause(stream)

    def gap(self, stream: str, gap: Gap) -> None:
        if (reader := self.readers.get(stream, self.together)) is not None:
            reader.put(gap)

    def told(self, message: Mapping[str, Any]) -> None:
        for listener in list(self.listeners):
            listener(message)

    def subscribed(self, stream: str, head: int) -> None:
        """Nobody here asks."""

    def refused(self, stream: str, error: TouchlineError) -> None:
        if (reader := self.readers.get(stream, None if stream else self.together)) is not None:
            reader.put(error)

    def reply(self, request: int, message: Mapping[str, Any]) -> None:
        future = self.answers.pop(request, None)
        if future is not None and not future.done():
            future.set_result(message)

    def fail(self, request: int, error: TouchlineError) -> None:
        future = self.answers.pop(request, None)
        if future is not None and not future.done():
            future.set_exception(error)

    def rejected(self, message: Mapping[str, Any]) -> None:
        _log.warning("refused later", stream=message.get("stream"), code=message.get("code"))

    def status(self, status: Status) -> None:
        self.latest = status
        for hear in list(self.on_status):
            hear(status)
        if isinstance(status, Live | Refused):
            self.answered.set()
        if isinstance(status, Refused):
            together = () if self.together is None else (self.together,)
            for reader in (*self.readers.values(), *together):
                reader.put(TouchlineError(status.code, status.message))

    # ── how it is done ───────────────────────────────────────────────────────────────────────────────

    def _tick(self) -> None:
        self._due = inf
        self.act(self.core.tick)

    async def _converse(self, number: int, address: str, outgoing: asyncio.Queue[bytes | None]) -> None:
        """A connection's life: until either side closes it."""
        code = _ABNORMAL
        try:
            async with connect(
                address,
                subprotocols=[Subprotocol(SUBPROTOCOL)],
                compression=None,
                max_size=None,
                open_timeout=CONNECT_MS / 1000,
                close_timeout=_FAREWELL_S,
                ping_interval=None,  # the core has a watchdog of its own
            ) as wire:
                speaking = asyncio.create_task(_speak(wire, outgoing))
                try:
                    while True:
                        frame = await wire.recv(decode=False)
                        self.act(partial(self.core.received, number, frame))
                finally:
                    speaking.cancel()
        except ConnectionClosed as closed:
            code = closed.rcvd.code if closed.rcvd else _ABNORMAL
        except (OSError, TimeoutError, InvalidHandshake, InvalidURI):
            # An edge that is not there, or does not speak the protocol.
            code = _ABNORMAL
        finally:
            del self._outgoing[number]
        self.act(lambda now: self.core.closed(number, code, now))

    async def _fetch_token(self) -> None:
        try:
            token = (
                self._token if isinstance(self._token, str) else await self._token() if self._token else ""
            )
        except Exception as error:  # whatever the user's function raises: it is asked again at the next try
            _log.warning("no token could be fetched", reason=type(error).__name__)
            self.act(self.core.no_token)
        else:
            self.act(lambda now: self.core.token(token, now))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _speak(wire: ClientConnection, outgoing: asyncio.Queue[bytes | None]) -> None:
    with contextlib.suppress(ConnectionClosed):
        while (message := await outgoing.get()) is not None:
            await wire.send(message, text=True)
        await wire.close()
