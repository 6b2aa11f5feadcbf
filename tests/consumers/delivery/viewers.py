"""Viewers whose sockets take what a test lets them, an edge's rings, and a past that a test lets answer."""

import json
from collections.abc import Callable
from typing import Any

from consumers.delivery.events import Events
from consumers.delivery.feeds import Feed
from consumers.delivery.hub import Hub, Raw
from consumers.delivery.records import FanoutRecord
from consumers.delivery.subscription import Page, Subscription
from consumers.protocol.messages import AnyReply, Subscribe
from consumers.transport.frames import event_frame, payload_of
from kernel.errors import TouchlineError
from kernel.log.positions import Kind, Shard, Stream

STREAM = Stream(Kind.CHAT, "final")
SHARD = Shard("final", 1, 0)
Wake = Callable[[TouchlineError | None], None]


def body(seq: int, stream: str = "chat:final") -> bytes:
    return json.dumps({"stream": stream, "seq": seq}, separators=(",", ":")).encode()


def decode(value: bytes) -> FanoutRecord:
    stream, seq = value.decode().split("@")
    return FanoutRecord(stream, int(seq), 0, body(int(seq), stream))


def raw(seq: int, channel: str = "final") -> Raw:
    return Raw(0, f"{channel}#1#0".encode(), f"chat:{channel}@{seq}".encode())


def split(data: bytes) -> list[bytes]:
    """A chunk's frames."""
    frames = []
    while data:
        length = data[1]
        size = 2 + length if length < 126 else 4 + int.from_bytes(data[2:4])
        frames.append(data[:size])
        data = data[size:]
    return frames


class Socket:
    """A viewer's socket that takes so many writes, then is full until it is drained."""

    socket = None

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.sent: list[AnyReply] = []
        self.paused = False
        self.room = 10**9
        self.subscription: Subscription | None = None
        self.refusals: list[TouchlineError] = []

    def write(self, data: bytes) -> None:
        self.events += [json.loads(payload_of(frame)) for frame in split(data)]
        self.room -= 1
        if self.room <= 0 and not self.paused:
            self.paused = True
            if self.subscription is not None:
                self.subscription.pause()

    @property
    def outlet(self) -> "Socket":
        return self

    def deliver(self, stream: str, events: Events) -> None:
        assert stream
        self.write(events.chunk)

    def send(self, message: AnyReply) -> None:
        self.sent.append(message)

    def refused(self, subscription: Subscription, error: TouchlineError) -> None:
        self.refusals.append(error)

    @property
    def seqs(self) -> list[int]:
        return [event["seq"] for event in self.events]


class Log:
    """A stream's whole past. Pages come when the test lets them."""

    def __init__(self) -> None:
        self.seqs: list[int] = []
        self.oldest = 0
        self.pages: list[Page] = []
        self.waiting: list[tuple[Feed, int, Wake]] = []
        self.reads = 0
        self.frame: Callable[[int], bytes] = payload

    def page(self, feed: Feed, after: int, wake: Wake) -> Page | None:
        for page in self.pages:
            if page.start <= after < page.end:
                return page
        self.waiting.append((feed, after, wake))
        return None

    def start_of_last(self, feed: Feed, count: int, wake: Wake) -> int | None:
        kept = [seq for seq in self.seqs if seq <= feed.ring.head]
        return kept[-count] - 1 if len(kept) >= count else 0

    def head(self, feed: Feed, wake: Wake) -> int | None:
        return feed.ring.head

    def answer(self) -> None:
        """Read once, for all who wait, from the lowest place on."""
        if not self.waiting:
            return
        self.reads += 1
        waiting, self.waiting = self.waiting, []
        feed, after, _ = min(waiting, key=lambda w: w[1])
        found = [seq for seq in self.seqs if max(after, self.oldest) < seq][:5]
        frames = [self.frame(seq) for seq in found]
        missing = found[0] if found and after < self.oldest else 0
        end = max(after, found[-1] if found else 0, 0 if len(found) == 5 else feed.ring.floor)
        self.pages.append(Page(feed, start=after, end=end, seqs=found, frames=frames, missing_below=missing))
        for _, _, wake in waiting:
            wake(None)


def payload(seq: int) -> bytes:
    return event_frame(0, body(seq))


def hub(ring_events: int = 8) -> Hub:
    made = Hub(decode, ring_events=ring_events, ring_bytes=1 << 20)
    made.whole = {("live", 0)}
    return made


def join(on: Hub, past: Log, *, after: int | None = None, last: int | None = None, lanes: int = 0) -> Socket:
    socket = Socket()
    audience = on.audience(STREAM, SHARD, lanes, lambda _: True)
    request = Subscribe(id=1, stream=str(STREAM), after=after, last=last)
    socket.subscription = Subscription(socket, audience, request)
    socket.subscription.advance(past)
    return socket
