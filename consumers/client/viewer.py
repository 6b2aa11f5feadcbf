"""The Python client for viewers: each event of a stream once, in order, across reconnections.

async with Viewer("ws://127.0.0.1:18081/v1/ws") as viewer:
    async for event in viewer.stream("chat:wc26-final", last=10):
        print(event.seq, event.data)
"""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from types import TracebackType
from typing import Any, Final, Literal, Self
from urllib.parse import urlencode, urlsplit

import msgspec

from consumers.client.driver import Driver, Reader, Token
from consumers.client.machine.host import Closed, Connecting, Gap, Live, Offline, Refused, Status, Waiting
from consumers.client.machine.subscription import Start
from kernel.access.users import check_user
from kernel.clock import Clock, SystemClock
from kernel.errors import TouchlineError
from kernel.log.positions import MAX_SEQ
from kernel.process.tracing import current
from schemas.events import Event

__all__ = [
    "Closed",
    "Connecting",
    "Gap",
    "HistoryPage",
    "Live",
    "Offline",
    "Refused",
    "Start",
    "Status",
    "Viewer",
    "Waiting",
]
_LIVE: Final = Start()


class Published(str):
    """The key of an event that was posted.

    With it the stream that took the event (a lane, where the channel is spread), and its place and id there,
    as far as they are known.
    """

    stream: str
    seq: int | None
    id: str | None

    def __new__(cls, key: str, stream: str, seq: int | None = None, event_id: str | None = None) -> Self:
        made = super().__new__(cls, key)
        made.stream, made.seq, made.id = stream, seq, event_id
        return made


class HistoryPage(msgspec.Struct, frozen=True):
    """A page of a stream's past, in order, and whether there is more in the direction that was asked for;
    of what lies around a place, before and after it."""

    events: list[Event]
    more: bool
    more_before: bool = False
    more_after: bool = False


class Viewer:
    """A client of the edges that heals itself. Streams may be served by several edges; it follows.

    Of several addresses the next is tried where one does not answer. A token may be an async function: it is
    asked again before the token runs out. Where there are no keys `user` says who this is.
    """

    def __init__(
        self,
        url: str | list[str],
        *,
        token: Token | None = None,
        user: str | None = None,
        device: str | None = None,
        seed: int | None = None,
        clock: Clock | None = None,
    ) -> None:
        named = {"user": None if user is None else check_user(user), "device": device}
        self._named = {name: value for name, value in named.items() if value is not None}
        self._urls = [url] if isinstance(url, str) else list(url)
        self._driver = Driver(self._urls, self._address, token, seed, clock or SystemClock())

    async def __aenter__(self) -> Self:
        self._driver.act(self._driver.core.start)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def connected(self, within_s: float) -> None:
        """Wait until an edge has said welcome. Raises `unavailable` where none does in time."""
        try:
            await asyncio.wait_for(self._driver.answered.wait(), within_s)
        except TimeoutError:
            raise TouchlineError(
                "unavailable",
                f"No edge answers at {' or '.join(self._urls)}.",
                hint="Start one with `touchline up`, or set TOUCHLINE_EDGE_HOST and TOUCHLINE_EDGE_PORT.",
            ) from None
        self._raise_if_refused()

    async def close(self) -> None:
        """Leave all edges."""
        await self._driver.end()

    @property
    def status(self) -> Status:
        """How the connection stands."""
        return self._driver.latest

    async def stream(
        self,
        name: str,
        *,
        after: int | None = None,
        last: int | None = None,
        reactions: bool = False,
        members: bool = False,
    ) -> AsyncGenerator[Event]:
        """The events of a stream, each once, in order. Raises TouchlineError where it may not be watched.

        `on_told` is told with `reactions` what these and votes come to, with `members` who comes and goes.
        """
        async with contextlib.aclosing(self.items(name, Start(after, last, reactions, members))) as items:
            async for item in items:
                if isinstance(item, Event):
                    yield item

    async def items(self, name: str, start: Start = _LIVE) -> AsyncGenerator[Event | Gap]:
        """Like `stream`, with what is not to be had as gaps."""
        driver = self._driver
        self._raise_if_refused()
        driver.act(lambda now: driver.core.subscribe(name, start, now))
        reader = driver.readers[name] = Reader()
        try:
            while True:
                item = await reader.take()
                if reader.has_room_again():
                    driver.act(lambda now: driver.core.resume(name, now))
                if isinstance(item, TouchlineError):
                    raise item
                yield item
        finally:
            del driver.readers[name]
            driver.act(lambda _: driver.core.unsubscribe(name))

    async def sync(self, *, ack: bool = True) -> AsyncGenerator[Event | Gap]:
        """The events of all rooms of the user, from what this device has acknowledged; of a new device the
        latest messages of each. Rooms that the user joins later come by themselves.

        With `ack` an event is acknowledged when the next one is asked for: one that failed comes again.
        """
        driver = self._driver
        self._raise_if_refused()
        if driver.together is not None:
            raise TouchlineError("bad_request", "All rooms are followed already.")
        reader = driver.together = Reader()
        driver.act(lambda _: driver.core.sync())
        try:
            while True:
                item = await reader.take()
                if isinstance(item, TouchlineError):
                    raise item
                yield item
                if ack and isinstance(item, Event):
                    self.ack(item.stream, item.seq)
        finally:
            driver.together = None

    async def inbox(self, *, limit: int = 50) -> AsyncGenerator[list[dict[str, Any]]]:
        """The rows of the user's rooms, the latest activity first; then, unasked, those that change."""
        driver = self._driver
        self._raise_if_refused()
        news: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()

        def told(message: Mapping[str, Any]) -> None:
            if message["op"] == "inbox" and "rooms" in message:
                news.put_nowait(message)

        driver.listeners[told] = None
        driver.act(lambda _: driver.core.inbox(limit))
        try:
            while True:
                yield list((await news.get())["rooms"])
        finally:
            del driver.listeners[told]
            driver.act(lambda _: driver.core.inbox(0))

    def on_told(self, listener: Callable[[Mapping[str, Any]], None]) -> Callable[[], None]:
        """Call back with what edges tell beside events: of rooms `receipt`, `typing`, `join`, `leave`,
        `inbox`, `synced`; of crowds `reactions`, `poll`. Returns what ends that."""
        self._driver.listeners[listener] = None
        return lambda: self._driver.listeners.pop(listener, None)

    def ack(self, stream: str, seq: int) -> None:
        """This device has everything of a stream up to here: said soon, if need be on the next connection."""
        self._driver.act(lambda now: self._driver.core.ack(stream, seq, now))

    async def read(self, stream: str, seq: int) -> None:
        """The user has read a room, or their notifications, up to here."""
        await self.request({"op": "read", "stream": stream, "seq": seq})

    async def typing(self, stream: str) -> None:
        """The user is typing; it is over after 5 s."""
        await self.request({"op": "typing", "stream": stream})

    async def present(self, stream: str, *, limit: int = 100) -> list[dict[str, Any]]:
        """Who watches a stream: `user`, `devices`, `since`."""
        reply = await self.request({"op": "presence", "stream": stream, "members": True, "limit": limit})
        return list(reply["members"])

    async def history(
        self,
        stream: str,
        *,
        before: int | None = None,
        after: int | None = None,
        around: int | None = None,
        limit: int = 50,
        replies_to: str | None = None,
    ) -> HistoryPage:
        """A page of a stream's past: the last events before a `seq`, the first after one, or around one.

        With none of them the last ones. Raises `bad_request`, `forbidden`, `not_found` or `unavailable`.
        """
        if before is None and after is None and around is None and replies_to is None:
            before = MAX_SEQ
        given = {"before": before, "after": after, "around": around, "replies_to": replies_to}
        asked = {"op": "history", "stream": stream, "limit": limit}
        reply = await self.request(
            asked | {name: value for name, value in given.items() if value is not None}
        )
        return msgspec.convert(reply, HistoryPage)

    async def publish(
        self,
        stream: str,
        data: dict[str, Any],
        *,
        event_type: str | None = None,
        key: str | None = None,
        client_ts: str | int | None = None,
        wait: Literal["accepted"] | None = None,
    ) -> "Published":
        """Post an event; returns its key when Kafka has it. A connection that breaks does not double it.

        With `wait="accepted"` it returns when the workers have accepted the event; it raises what they refuse
        it for, or `unavailable` where they say nothing within two seconds.
        """
        given: dict[str, Any] = {"type": event_type, "client_ts": client_ts, "wait": wait}
        given |= {name: value.decode() for name, value in current() or () if isinstance(value, bytes)}
        post = {"op": "publish", "stream": stream, "key": key or uuid.uuid4().hex, "data": data}
        reply = await self.request(post | {name: value for name, value in given.items() if value is not None})
        return Published(
            str(reply["key"]),
            str(reply.get("stream", stream)),
            reply.get("seq"),
            reply.get("event_id"),
        )

    async def request(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Any request of the protocol, and its reply. Raises TouchlineError where it is refused."""
        driver, stream = self._driver, str(request.get("stream", ""))
        future: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()

        def ask(now: float) -> None:
            driver.answers[driver.core.request(request, stream, now)] = future

        driver.act(ask)
        return dict(await future)

    @contextlib.contextmanager
    def statuses(self, hear: Callable[[Status], object]) -> Generator[None]:
        """Hear how the connection stands, whenever that changes."""
        self._driver.on_status.append(hear)
        try:
            yield
        finally:
            self._driver.on_status.remove(hear)

    def _raise_if_refused(self) -> None:
        if isinstance(status := self.status, Refused):
            raise TouchlineError(status.code, status.message)

    def _address(self, url: str) -> str:
        """The address with who this is, and the device's name, by which acknowledgements count."""
        if not self._named:
            return url
        return f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(self._named)}"
