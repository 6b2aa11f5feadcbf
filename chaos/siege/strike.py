"""Carries attackers' steps out: `python -m chaos.siege.strike`, a process of its own, told on its input.

Of its own, so that what hostile users compute is not taken for what it does to others: they have machines of
their own. Here they get as much of the cores as a role does; who gets too little to attack is told of.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector
from confluent_kafka import KafkaException, Producer
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException
from yarl import URL

from chaos.siege.attackers.attack import Attacker, Frames, Put, Raw, Request, Step, filled
from chaos.siege.attackers.by_name import ATTACKERS
from chaos.siege.watching.machine import apart
from kernel.access.tokens import sign
from kernel.log.topics import MAX_RECORD_BYTES

_ASK_S: Final = 20.0
#: A step that takes longer is left: the next one is tried.
_STEP_S: Final = 60.0
_FAILED: Final = (
    ClientError,
    OSError,
    TimeoutError,
    WebSocketException,
    KafkaException,
    BufferError,
    ValueError,
)


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Where the pipeline is, and the secret of whoever makes its tokens."""

    gateway: str
    edges: tuple[str, ...]
    kafka: str
    prefix: str
    secret: str


class Orders(msgspec.Struct, frozen=True, kw_only=True):
    """Who attacks, and for how long."""

    target: Target
    names: tuple[str, ...]
    seconds: float


class Outcome(msgspec.Struct, kw_only=True):
    """What came of it: attacker -> what was answered, how often; and the processor time that they took."""

    answers: Mapping[str, Mapping[str, int]] = {}
    used_s: float = 0.0


class Striker:
    """The attackers' hands."""

    def __init__(self, target: Target, http: ClientSession) -> None:
        self._target, self._http = target, http
        self._producer: Producer | None = None
        self._turn = 0
        #: What was answered, by attacker: statuses, and kinds of failures.
        self.answers: dict[str, Counter[str]] = {}

    async def attack(self, attacker: Attacker, until: float) -> None:
        """Do the attacker's steps again and again."""
        claims, now = attacker.claims(), time.time()
        token = sign(
            attacker.channel,
            attacker.grants,
            expires_s=now + 7200,
            issued_s=None if "iat" in claims else now,
            key=self._target.secret,
            extra=claims,
        )
        seen = self.answers.setdefault(attacker.name, Counter())
        while time.monotonic() < until:
            kept: dict[str, str] = {}
            for step in await asyncio.to_thread(lambda: list(attacker.steps(attacker.channel))):
                if time.monotonic() >= until:
                    return
                with contextlib.suppress(*_FAILED):
                    async with asyncio.timeout(min(_STEP_S, max(0.1, until - time.monotonic()))):
                        await self._do(filled(step, kept), token, seen, kept)
            seen["turns"] += 1
            await asyncio.sleep(max(0.01, attacker.rest_s))

    async def _do(self, step: Step, token: str, seen: Counter[str], kept: dict[str, str]) -> None:
        match step:
            case Request():
                gate = asyncio.Semaphore(step.at_once)
                await asyncio.gather(*(self._ask(step, token, seen, gate, kept) for _ in range(step.times)))
            case Frames():
                await asyncio.gather(*(self._talk(step, token, seen) for _ in range(step.connections)))
            case Raw():
                await asyncio.gather(*(self._hold(step, token, seen) for _ in range(step.connections)))
            case Put():
                for _ in range(step.times):
                    self._put(step, seen)
                await asyncio.sleep(0)

    def _edge(self) -> str:
        self._turn += 1
        return self._target.edges[self._turn % len(self._target.edges)]

    async def _ask(
        self, step: Request, token: str, seen: Counter[str], gate: asyncio.Semaphore, kept: dict[str, str]
    ) -> None:
        base = self._target.gateway if step.to == "gateway" else _plain(self._edge())
        headers = {"Authorization": f"Bearer {token}", **step.headers}
        async with gate:
            try:
                url = URL(f"{base}{step.path}", encoded=True)
                async with self._http.request(step.method, url, data=step.body, headers=headers) as answer:
                    seen[str(answer.status)] += 1
                    if step.unread:
                        await asyncio.sleep(2.0)
                    else:
                        said = await answer.read()
                        if step.keeps and (found := _field(said, step.keeps)) is not None:
                            kept[step.keeps] = found
            except _FAILED as error:
                seen[type(error).__name__] += 1

    async def _talk(self, step: Frames, token: str, seen: Counter[str]) -> None:
        url = f"{self._edge()}?token={token}" if step.with_token else self._edge()
        try:
            async with connect(
                url, max_size=None, open_timeout=_ASK_S, close_timeout=1, compression=None,
                max_queue=1 if not step.reads else 1024, ping_interval=None,
            ) as socket:  # fmt: skip
                reading = asyncio.create_task(_read(socket)) if step.reads else None
                try:
                    for text in step.texts:
                        await socket.send(text)
                    await asyncio.sleep(step.stays_s)
                finally:
                    if reading is not None:
                        reading.cancel()
                await socket.close(step.close_code)
            seen["talked"] += 1
        except _FAILED as error:
            seen[type(error).__name__] += 1

    async def _hold(self, step: Raw, token: str, seen: Counter[str]) -> None:
        address = urlsplit(self._target.gateway if step.to == "gateway" else self._edge())
        data = step.data.replace(b"/v1/ws HTTP", b"/v1/ws?token=%b HTTP" % token.encode())
        try:
            reader, writer = await asyncio.open_connection(address.hostname, address.port)
            try:
                writer.write(data)
                await writer.drain()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(step.stays_s):
                        while await reader.read(65536):
                            pass
                        seen["closed"] += 1
            finally:
                writer.close()
        except _FAILED as error:
            seen[type(error).__name__] += 1

    def _put(self, step: Put, seen: Counter[str]) -> None:
        if self._producer is None:
            self._producer = Producer(
                {
                    "bootstrap.servers": self._target.kafka,
                    "message.max.bytes": MAX_RECORD_BYTES,
                    "queue.buffering.max.kbytes": 64 * 1024,
                    "linger.ms": 5,
                    "log_level": 3,  # that something is left on its way at the end is no news
                }
            )
        try:
            self._producer.produce(topic_of(self._target.prefix, step.topic), step.value, step.key)
            seen["put"] += 1
        except _FAILED as error:
            seen[type(error).__name__] += 1
        self._producer.poll(0)


def _field(answer: bytes, path: str) -> str | None:
    """A text in an answer."""
    try:
        found: Any = json.loads(answer)
        for name in path.split("."):
            found = found[int(name) if name.isdigit() else name]
    except (ValueError, LookupError, TypeError):
        return None
    return found if isinstance(found, str) else None


def topic_of(prefix: str, name: str) -> str:
    """The topic that a step names."""
    return f"{prefix}.{name}"


def _plain(edge: str) -> str:
    parts = urlsplit(edge)
    return f"http://{parts.netloc}"


async def _read(socket: Any) -> None:
    with contextlib.suppress(WebSocketException):
        async for _ in socket:
            pass


async def strike(orders: Orders) -> Mapping[str, Mapping[str, int]]:
    """All of them at once, until the time is up."""
    until = time.monotonic() + orders.seconds
    connector, wait = TCPConnector(limit=0), ClientTimeout(total=_ASK_S)
    async with ClientSession(connector=connector, timeout=wait) as http:
        striker = Striker(orders.target, http)
        tasks = [asyncio.create_task(striker.attack(ATTACKERS[name], until)) for name in orders.names]
        try:
            async with asyncio.timeout(orders.seconds + 2):
                await asyncio.gather(*tasks)
        except TimeoutError:
            pass
    return striker.answers


def main() -> None:
    """Reads orders, prints what was answered."""
    apart()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    orders = msgspec.json.decode(sys.stdin.buffer.read(), type=Orders)
    answers = asyncio.run(strike(orders))
    sys.stdout.buffer.write(msgspec.json.encode(Outcome(answers=answers, used_s=time.process_time())))
    sys.stdout.buffer.flush()
    os._exit(0)  # threads of clients that still wait for an answer are of no use


if __name__ == "__main__":
    main()
