"""An edge without Kafka for bench/edges.py, which is told on a control line what to publish.

Control line: `pub RATE SECONDS 0 SIZE 1 START_NS`; message i is due at START_NS + i/RATE, and carries that
time, so that a publisher that lags counts as latency. The answer is `done COUNT MAX_LATENESS_MS`.
"""

import argparse
import asyncio
import itertools
import resource
import time
from collections.abc import Callable, Sequence
from typing import Any

import uvloop

from bench.rig.known import KnownByHand
from consumers.assembly import Surroundings, service_of
from consumers.cluster.acknowledgements import PlaceBook
from consumers.delivery.backfill import History
from consumers.delivery.hub import Hub, Raw
from consumers.delivery.records import reader
from consumers.feeds.broadcasts import Broadcasts
from consumers.feeds.feeds import FeedRequests
from consumers.messenger.signals import Signals
from consumers.nearby.positions import Positions
from consumers.nearby.visibility import Looking
from consumers.service.admission import Admission
from consumers.service.ops.publishing import Poster
from consumers.service.ops.subscriptions import Partitions
from consumers.service.service import Service
from consumers.service.tasks import Tasks
from consumers.service.tokens import Tokens
from consumers.transport.handshake import Handshake
from control.commands.answers import Asking, Question
from control.numbering import Placed
from control.state import ControlState
from history.visible import ReadPage
from kernel.access.hosts import loopback_origins
from kernel.access.jwks import JwksKeys
from kernel.access.tokens import StaticKeys, Verifier
from kernel.clock import Clock, ManualClock, SystemClock
from kernel.fairness.budgets import DoorBudgets
from kernel.fairness.turns import Turns
from kernel.log.positions import Stream
from kernel.settings.reading import Auth, Edge, Settings
from schemas.codec import Codec

STREAM = "chat:bench"
FILLER = "x" * 400


def body(seq: int, due_ns: int, size: int) -> bytes:
    """An event's JSON object of about `size` bytes, with the time when it was due."""
    text = f'{{"stream":"{STREAM}","seq":{seq},"t":{due_ns},"type":"message","data":{{"text":"'
    return (text + FILLER[: max(0, size - len(text) - 3)] + '"}}').encode()


async def control(port: int, publish: Callable[[int, int, int], None]) -> None:
    """Serve the control line; `publish(number, due_ns, size)`."""
    numbers = itertools.count(1)

    async def serve(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while line := await source.readline():
            _, rate, seconds, _, size, _, start = line.split()[:7]
            count, late, done = int(float(rate) * float(seconds)), 0, 0
            while done < count:
                due = int(start) + int(done * 1e9 / float(rate))
                now = time.time_ns()
                if due > now:
                    await asyncio.sleep((due - now) / 1e9)
                    continue
                late = max(late, now - due)
                publish(next(numbers), due, int(size))
                done += 1
                await asyncio.sleep(0)
            sink.write(b"done %d %.1f\n" % (count, late / 1e6))
            await sink.drain()

    await asyncio.start_server(serve, "127.0.0.1", port)
    await asyncio.Event().wait()


class _Nothing:
    """An edge's surroundings, where there are none."""

    def viewers(self, stream: str) -> int:
        return 0

    def write(self, key: str, value: bytes) -> None:
        pass

    def serves(self, kind: object, key: str) -> bool:
        return True

    def whole(self, kind: object, key: str) -> bool:
        return True

    def elsewhere(self, key: str) -> str | None:
        return None

    async def post(self, stream: Stream, event: Any, headers: Any = None) -> Placed:
        return Placed(0, None, None)

    async def ask_soon(self) -> Question:
        raise NotImplementedError

    async def send(self, about: str, command: str, arguments: Any, *, actor: str | None = None) -> None:
        raise NotImplementedError

    async def read(self, stream: Stream, **_: Any) -> ReadPage:
        raise NotImplementedError(stream)

    async def replies(self, stream: Stream, events: Any, spans: Any = None) -> dict[str, int]:
        return {}

    async def find(self, stream: Stream, event_id: str, lanes: int = 0) -> bytes | None:
        raise NotImplementedError(stream, event_id)

    async def check(self, attachments: Sequence[str], stream: Stream, user: str, *, anybodys: bool) -> None:
        raise NotImplementedError(attachments, stream, user, anybodys)


def bare_service(
    settings: Settings | None = None,
    clock: Clock | None = None,
    *,
    verifier: Verifier | None = None,
    jwks: JwksKeys | None = None,
    history: History | None = None,
    partitions: Partitions | None = None,
    poster: Poster | None = None,
    answers: Asking | None = None,
    book: PlaceBook | None = None,
    registry: ControlState | None = None,
    turns: Turns | None = None,
) -> Service:
    """The shared part of an edge without Kafka: what is not given of its surroundings is nothing.

    Turns of the loop then may take as long as they do.
    """
    codec, nothing = Codec("fanout"), _Nothing()
    settings, clock = settings or Settings(), clock or SystemClock()
    edge = settings.edge
    decode = reader(codec.schema_id, lambda _: None)  # type: ignore[arg-type,return-value]
    hub = Hub(decode, ring_events=2048, ring_bytes=1 << 28)
    hub.whole = {("live", 0)}
    registry = registry or KnownByHand(settings, clock)
    # As much of each of them as is asked for here.
    past: Any = history or nothing
    posts: Any = poster or nothing
    answered: Any = answers or nothing
    tokens = Tokens(
        verifier,
        jwks,
        anonymous=verifier is None,
        on_loopback=True,
        new_id=lambda: "",
        revocations=registry.revocations,
    )
    admission = Admission(
        edge,
        tokens,
        name="bench",
        cell="bench",
        on_loopback=True,
        clock=clock,
        pages=loopback_origins(settings.gateway.port),
    )
    admission.open = True
    budgets, tasks = DoorBudgets(settings.limits, clock), Tasks()
    broadcasts = Broadcasts(decode, Codec("event-broadcast"), reads_all=True)
    positions = Positions(clock, settings.nearby.inactive_s, hub.awake)
    around = Surroundings(
        state=registry,
        history=past,
        hub=hub,
        served=partitions or nothing,
        poster=posts,
        answers=answered,
        commands=nothing,
        attachments=nothing,
        counts=nothing,
        book=book or PlaceBook(clock, Codec("ack"), nothing.write, registry.rooms.inboxes),
        budgets=budgets,
        admission=admission,
        signals=Signals(clock, Codec("signal"), nothing.write),
        looking=Looking(settings.nearby, clock, registry.consent, positions, decode),
        feeds=FeedRequests(
            state=registry,
            history=past,
            broadcasts=broadcasts,
            budgets=budgets,
            clock=clock,
            spawn=tasks.spawn,
        ),
        tasks=tasks,
        turns=turns or Turns(ManualClock()),
    )
    return service_of(settings, clock, around)


async def edge(port: int, control_port: int, secret: str) -> None:
    """The edge's connections, sessions, rings and fan-out; records come from here, not from Kafka."""
    auth, clock = Auth(secret=secret), SystemClock()
    settings = Settings(
        auth=auth, edge=Edge(max_connections_per_user=100_000, max_subscriptions_per_user=1_000_000)
    )
    service = bare_service(
        settings, clock, verifier=Verifier(auth, StaticKeys(auth), clock), turns=Turns(clock)
    )
    codec, hub = Codec("fanout"), service.subscriptions.hub

    def publish(number: int, due: int, size: int) -> None:
        record = {
            "stream": STREAM,
            "seq": number,
            "server_ts": due // 1_000_000,
            "body": body(number, due, size),
        }
        hub.take("live", [Raw(0, b"bench#1#0", codec.encode(record))])

    loop = asyncio.get_running_loop()
    await loop.create_server(lambda: Handshake(service, {}, secure=False), "127.0.0.1", port, backlog=4096)
    await control(control_port, publish)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--ctl", type=int, required=True)
    parser.add_argument("--secret", required=True, help="of the tokens that viewers show")
    given = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    uvloop.run(edge(given.port, given.ctl, given.secret))
