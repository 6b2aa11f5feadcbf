"""One edge as a viewer sees it: a connection that heals, and the subscriptions that live there."""

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Final, NamedTuple, Protocol

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Subprotocol

from consumers.messages import SUBPROTOCOL
from kernel.codes import Return, comes_back
from kernel.errors import TouchlineError
from kernel.logs import get_logger
from schemas.events import Event

_log = get_logger("touchline.viewer")
FIRST_BACK_OFF_S: Final = 0.5
LONGEST_BACK_OFF_S: Final = 20.0
_CONNECT_S: Final = 10.0
#: Events that wait for a slow reader before reading from the socket stops.
MAX_WAITING: Final = 10_000
MAX_FAILURES: Final = 2


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """Said by the edge: what lies between `after` and `seq` is not to be had."""

    stream: str
    after: int
    seq: int
    reason: str


class Start(NamedTuple):
    """Where to begin in a stream: live only, after a sequence number, or with the last events."""

    after: int | None = None
    last: int | None = None


def back_off_s(failures: int, chance: random.Random) -> float:
    """Exponential with full jitter: from nothing to a limit that doubles from 0.5 s to 20 s."""
    limit = min(LONGEST_BACK_OFF_S, FIRST_BACK_OFF_S * 2 ** min(failures, 10))
    return chance.uniform(0, limit)


class Subscription:
    """One stream, with its lanes, as its reader sees it."""

    def __init__(self, name: str, start: Start) -> None:
        self.name = name
        self.after, self.last = start
        #: Cursor of each stream that came with this subscription.
        self.cursors: dict[str, int] = {}
        self.began = False
        self.waiting: deque[Event | Gap | TouchlineError] = deque()
        self.news = asyncio.Event()
        self.room = asyncio.Event()
        self.room.set()

    def request(self, request_id: int) -> dict[str, Any]:
        """What to send to begin, or to go on from the cursors."""
        asked: dict[str, Any] = {"op": "subscribe", "id": request_id, "stream": self.name}
        if self.began:
            asked["after"] = self.cursors.get(self.name, 0)
            lanes = {stream: seq for stream, seq in self.cursors.items() if stream != self.name}
            if lanes:
                asked["cursors"] = lanes
        elif self.after is not None:
            asked["after"] = self.after
        elif self.last is not None:
            asked["last"] = self.last
        return asked

    def answered(self, head: int) -> None:
        """The edge has found the place. Who asked for the last events has none before the first came."""
        if self.began or self.last:
            return
        self.began = True
        self.cursors[self.name] = head if self.after is None else self.after

    def take(self, event: Event) -> bool:
        """Note the cursor; whether the event is new."""
        if event.seq <= self.cursors.get(event.stream, -1):
            return False
        self.began = True
        self.cursors[event.stream] = event.seq
        return True

    def owns(self, stream: str) -> bool:
        """Whether events of this stream belong here: the stream itself, or a lane of it."""
        if stream == self.name:
            return True
        base, tilde, lane = stream.rpartition("~")
        return bool(tilde) and base == self.name and lane.isdigit()

    def put(self, item: Event | Gap | TouchlineError) -> None:
        self.waiting.append(item)
        self.news.set()
        if len(self.waiting) >= MAX_WAITING:
            self.room.clear()


class Owner(Protocol):
    """Whoever has the links: a `Viewer`."""

    chance: random.Random
    user: str | None

    def address(self, url: str) -> str:
        """The address with what has to go with it."""

    def moved(self, subscription: Subscription, url: str) -> None:
        """A stream is served at another edge."""

    def lost(self, link: "Link", subscriptions: list[Subscription]) -> bool:
        """This edge does not answer any more; True: the link is not needed any more."""


class Link:
    """One edge: a connection at a time, and the subscriptions that live there."""

    def __init__(self, viewer: Owner, urls: list[str]) -> None:
        #: Edges of which any will do: after one, the next is tried.
        self._urls = urls
        self.at = urls[0]
        self._viewer = viewer
        self._subscriptions: list[Subscription] = []
        self._pending: dict[int, Subscription] = {}
        self._asked: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._ids = 0
        self._jitter_s = 5.0
        self._wire: ClientConnection | None = None
        self._next: ClientConnection | None = None
        self._open = asyncio.Event()
        self._refusal: TouchlineError | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._handlers: dict[str, Callable[[dict[str, Any], Subscription | None], None]] = {
            "subscribed": self._on_subscribed,
            "redirect": self._on_redirect,
            "gap": self._on_gap,
            "drain": self._on_drain,
            "error": self._on_error,
        }
        self._task = asyncio.get_running_loop().create_task(self._run())

    def add(self, subscription: Subscription) -> None:
        self._subscriptions.append(subscription)
        if self._wire is not None:
            self._spawn(self._send_subscribe(self._wire, subscription))

    def remove(self, subscription: Subscription) -> None:
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)
            if self._wire is not None:
                self._spawn(self._send(self._wire, {"op": "unsubscribe", "stream": subscription.name}))

    async def opened(self) -> None:
        """Wait until the edge has said welcome. Raises what it has said instead, if that is final."""
        opening = asyncio.ensure_future(self._open.wait())
        try:
            await asyncio.wait({opening, self._task}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            opening.cancel()
        if self._refusal is not None:
            raise self._refusal

    async def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        await self._open.wait()
        assert self._wire is not None  # noqa: S101 - it is open
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        number = self._number()
        self._asked[number] = future
        await self._send(self._wire, {**request, "id": number})
        try:
            return await future
        finally:
            self._asked.pop(number, None)

    async def close(self) -> None:
        for task in [self._task, *self._tasks]:
            task.cancel()
        await asyncio.gather(self._task, *self._tasks, return_exceptions=True)
        if self._wire is not None:
            await self._wire.close()

    # ── connecting ───────────────────────────────────────────────────────────────────────────────────

    async def _run(self) -> None:
        failures = 0
        while True:
            try:
                wire = self._next or await self._connect()
                self._next = None
                failures = 0
                code = await self._converse(wire)
            except (OSError, TimeoutError, InvalidHandshake, ConnectionClosed) as error:
                code = error.rcvd.code if isinstance(error, ConnectionClosed) and error.rcvd else 1006
            self._wire = None
            self._open.clear()
            if self._next is None:
                self._turn()
            for future in self._asked.values():
                if not future.done():
                    future.set_exception(TouchlineError("unavailable", "The connection to the edge broke."))
            match comes_back(code):
                case Return.NEVER:
                    self._refusal = TouchlineError(
                        "unauthorized" if code == 4001 else "forbidden", f"The edge closed with {code}."
                    )
                    for subscription in self._subscriptions:
                        subscription.put(self._refusal)
                    return
                case Return.AT_ONCE if self._next is None:
                    await asyncio.sleep(self._viewer.chance.uniform(0, self._jitter_s))
                case Return.BACK_OFF if self._next is None:
                    await asyncio.sleep(back_off_s(failures, self._viewer.chance))
                    failures += 1
            if failures >= MAX_FAILURES and self._viewer.lost(self, self._subscriptions):
                return

    def _turn(self) -> None:
        self.at = self._urls[(self._urls.index(self.at) + 1) % len(self._urls)]

    async def _connect(self) -> ClientConnection:
        address = self._viewer.address(self.at)
        return await connect(
            address,
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            compression=None,
            max_size=None,
            open_timeout=_CONNECT_S,
            ping_interval=None,
        )

    async def _converse(self, wire: ClientConnection) -> int:
        try:
            async for frame in wire:
                for line in frame.splitlines():
                    await self._heed(wire, line)
                if self._next is not None:
                    break
        finally:
            with contextlib.suppress(Exception):
                await wire.close()
        return wire.close_code or 1006

    async def _heed(self, wire: ClientConnection, line: str | bytes) -> None:
        if line[:13] in ('{"op":"event"', b'{"op":"event"'):
            await self._event(_event.decode(line))
            return
        message = msgspec.json.decode(line)
        number, op = message.get("id"), message.get("op")
        if number in self._asked:
            self._answer(self._asked[number], message)
        elif op == "welcome":
            await self._welcomed(wire, message)
        elif op in self._handlers:
            self._handlers[op](message, self._pending.pop(number, None))

    async def _welcomed(self, wire: ClientConnection, message: dict[str, Any]) -> None:
        self._jitter_s = message["reconnect_jitter_ms"] / 1000
        self._viewer.user = message.get("user")
        self._wire = wire
        self._open.set()
        for subscription in list(self._subscriptions):
            await self._send_subscribe(wire, subscription)

    def _on_subscribed(self, message: dict[str, Any], asked: Subscription | None) -> None:
        if asked is not None:
            asked.answered(message["seq"])

    def _on_redirect(self, message: dict[str, Any], asked: Subscription | None) -> None:
        subscription = asked or self._named(message["stream"])
        if subscription is not None and subscription in self._subscriptions:
            self._subscriptions.remove(subscription)
            self._viewer.moved(subscription, message["url"])

    def _on_gap(self, message: dict[str, Any], asked: Subscription | None) -> None:  # noqa: ARG002
        if (subscription := self._owner(message["stream"])) is not None:
            subscription.put(msgspec.convert({k: v for k, v in message.items() if k != "op"}, Gap))

    def _on_drain(self, message: dict[str, Any], asked: Subscription | None) -> None:  # noqa: ARG002
        self._spawn(self._move(message["reconnect_in_ms"] / 1000))

    def _on_error(self, message: dict[str, Any], asked: Subscription | None) -> None:
        asked = asked or self._named(message.get("stream", ""))
        if asked is None:
            _log.warning("the edge refused a request", code=message["code"], reason=message["message"])
        elif message["retry"]:
            self._spawn(self._again(asked))
        else:
            asked.put(TouchlineError(message["code"], message["message"]))

    async def _event(self, event: Event) -> None:
        subscription = self._owner(event.stream)
        if subscription is None or not subscription.take(event):
            return
        subscription.put(event)
        await subscription.room.wait()

    async def _move(self, after_s: float) -> None:
        """The edge drains: open the next connection, then let go of this one."""
        await asyncio.sleep(after_s)
        with contextlib.suppress(OSError, TimeoutError, InvalidHandshake):
            self._turn()
            self._next = await self._connect()
            if self._wire is not None:
                await self._wire.close()

    async def _again(self, subscription: Subscription) -> None:
        await asyncio.sleep(back_off_s(1, self._viewer.chance))
        if self._wire is not None and subscription in self._subscriptions:
            await self._send_subscribe(self._wire, subscription)

    # ── small things ─────────────────────────────────────────────────────────────────────────────────

    @staticmethod
    def _answer(future: asyncio.Future[dict[str, Any]], message: dict[str, Any]) -> None:
        if future.done():
            return
        if message["op"] == "error":
            future.set_exception(TouchlineError(message["code"], message["message"]))
        else:
            future.set_result(message)

    def _named(self, name: str) -> Subscription | None:
        return next((s for s in self._subscriptions if s.name == name), None)

    def _owner(self, stream: str) -> Subscription | None:
        return next((s for s in self._subscriptions if s.owns(stream)), None)

    def _number(self) -> int:
        self._ids += 1
        return self._ids

    async def _send_subscribe(self, wire: ClientConnection, subscription: Subscription) -> None:
        number = self._number()
        self._pending[number] = subscription
        await self._send(wire, subscription.request(number))

    @staticmethod
    async def _send(wire: ClientConnection, message: dict[str, Any]) -> None:
        with contextlib.suppress(ConnectionClosed):
            await wire.send(msgspec.json.encode(message).decode())

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


_event: Final = msgspec.json.Decoder(Event)
