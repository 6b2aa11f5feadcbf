"""Reactions and polls: through a worker, through the doors, and to everybody's screen, each role a process.

    python -m bench.crowd [fold] [doors] [screens] [votes] [--seconds 5] [--viewers 1000]

Needs a Kafka (TOUCHLINE_KAFKA_BOOTSTRAP_SERVERS). A rate "a core" is per second of processor time that the
role used, so other work on the machine does not count.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import quantiles
from typing import Any, Final

import psutil
from aiohttp import ClientSession
from confluent_kafka import Producer
from websockets.asyncio.client import ClientConnection, connect

from bench.report.figures import sample
from control.crowd.reactions import REACT, VOTE, made
from kernel.log.kafka import client_config
from kernel.log.positions import Kind, Stream, make_id
from kernel.log.topics import topic_names
from kernel.settings.reading import load_settings
from schemas.codec import Codec
from tests.crowd.people import begin, path_of, totals
from tests.pipeline import Pipeline, eventually, running

STREAM: Final = Stream(Kind.CHAT, "stand")
CLAP: Final = b'{"with":"\xf0\x9f\x91\x8f"}\n'
_CODEC: Final = Codec("reaction")


def cpu_s(pipeline: Pipeline, role: str) -> float:
    """Processor time of a role, so far."""
    used = psutil.Process(pipeline.pid(role)).cpu_times()
    return float(used.user + used.system)


# ── one worker ───────────────────────────────────────────────────────────────────────────────────────────


def fold(pipeline: Pipeline, count: int) -> None:
    """Single records, as doors and Kafka clients post them, through one worker that finds them waiting."""
    targets = [make_id(Kind.CHAT, int(time.time() * 1000), 0, n) for n in range(1000)]

    def clap(number: int) -> dict[str, Any]:
        return made(STREAM, REACT, with_="👏", user=f"u{number % 5000}")

    def react(number: int) -> dict[str, Any]:
        return made(STREAM, REACT, with_="👍", target=targets[number % 1000], user=f"u{number}")

    for name, said in (("applause, one by one", clap), ("reactions to 1,000 messages", react)):
        pipeline.stop("stream")
        write(pipeline, said, count)
        pipeline.launch("stream")
        eventually("it runs", lambda: pipeline.is_ready("stream"), within=120)
        idle = cpu_s(pipeline, "stream")
        began = time.monotonic()
        asyncio.run(caught_up(pipeline))
        took, used = time.monotonic() - began, cpu_s(pipeline, "stream") - idle
        show(f"{name}, folded a core", count / max(used, 0.001), f"/s; {count / took:,.0f}/s as it went")
        sample("crowd fold", name, count / max(used, 0.001))


def write(pipeline: Pipeline, said: Callable[[int], dict[str, Any]], count: int) -> None:
    producer = Producer(client_config(pipeline.settings, linger_ms=20, queue_buffering_max_messages=500_000))
    topic = topic_names(pipeline.settings).reactions
    for number in range(count):
        while True:
            try:
                producer.produce(topic, _CODEC.encode(said(number)), STREAM.channel.encode())
                break
            except BufferError:
                producer.poll(0.1)
    producer.flush()


async def caught_up(pipeline: Pipeline) -> None:
    """Until all that is on the log is counted."""
    async with asyncio.timeout(120):
        while True:
            try:
                await totals(pipeline, str(STREAM))
                return
            except AssertionError:
                await asyncio.sleep(0.05)


# ── doors ────────────────────────────────────────────────────────────────────────────────────────────────


async def doors(pipeline: Pipeline, seconds: float) -> None:
    """Applause at the gateway as NDJSON, and at the edge one by one."""
    body, sent = CLAP * 200_000, 0
    url = f"{pipeline.gateway_url}{path_of('chat:gate', 'reactions')}"
    used, began = cpu_s(pipeline, "gateway"), time.monotonic()
    async with ClientSession() as http:
        while time.monotonic() < began + seconds:
            async with http.post(url, data=body, headers={"Content-Type": "application/x-ndjson"}) as answer:
                assert answer.status == 202, await answer.text()
                await answer.read()
            sent += 200_000
    took, used = time.monotonic() - began, cpu_s(pipeline, "gateway") - used
    assert (await totals(pipeline, "chat:gate"))["totals"] == {"👏": sent}
    show("applause summed at a gateway, a core", sent / used, f"/s; {sent / took:,.0f}/s as it went")
    sample("crowd doors", "gateway", sent / used)
    used, began, answered = cpu_s(pipeline, "edge"), time.monotonic(), 0
    async with asyncio.TaskGroup() as group:
        clapping = [group.create_task(clap_on(pipeline, "chat:edge", began + seconds)) for _ in range(200)]
    answered = sum(task.result() for task in clapping)
    took, used = time.monotonic() - began, cpu_s(pipeline, "edge") - used
    assert (await totals(pipeline, "chat:edge"))["totals"] == {"👏": answered}
    show(
        "applause by WebSocket at an edge, a core",
        answered / used,
        f"/s; {answered / took:,.0f}/s as it went",
    )
    sample("crowd doors", "edge", answered / used)


async def clap_on(pipeline: Pipeline, stream: str, until: float) -> int:
    """Clap as fast as it is answered, so many at once; returns how often."""
    lines = "\n".join(
        json.dumps({"id": n + 1, "op": "react", "stream": stream, "with": "👏"}) for n in range(20)
    )
    count = 0
    async with connect(pipeline.edge_url, compression=None) as wire:
        await wire.recv()
        while time.monotonic() < until:
            await wire.send(lines)
            for _ in range(20):
                assert '"ok"' in str(await wire.recv())
            count += 20
            await asyncio.sleep(1.0)  # an edge takes 50 messages a second of one viewer
    return count


# ── screens ──────────────────────────────────────────────────────────────────────────────────────────────


class Screen(asyncio.Protocol):
    """A viewer as cheap as can be: it looks for the total in what comes."""

    def __init__(self, host: str, stream: str) -> None:
        self.host, self.stream, self.seen = host, stream, b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.write(
            f"GET /v1/ws HTTP/1.1\r\nHost: {self.host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def subscribe(self) -> None:
        text = json.dumps({"op": "subscribe", "id": 1, "stream": self.stream, "reactions": True}).encode()
        self.transport.write(bytes((0x81, 0x80 | len(text))) + b"\0\0\0\0" + text)

    def data_received(self, data: bytes) -> None:
        self.seen = self.seen[-512:] + data


async def screens(pipeline: Pipeline, viewers: int, seconds: float) -> None:
    """After a burst, until each viewer was sent the exact total; and what telling them costs the edge."""
    stream, loop = "chat:screens", asyncio.get_running_loop()
    host, port = "127.0.0.1", pipeline.settings.edge.port
    watching = []
    for _ in range(viewers):
        _, screen = await loop.create_connection(lambda: Screen(f"{host}:{port}", stream), host, port)
        watching.append(screen)
        if len(watching) % 100 == 0:
            await asyncio.sleep(0.05)
    await asyncio.sleep(1)
    for screen in watching:
        screen.subscribe()
    await until(lambda: all(b"subscribed" in screen.seen for screen in watching))
    idle, began = cpu_s(pipeline, "edge"), time.monotonic()
    await asyncio.sleep(2)
    idle = (cpu_s(pipeline, "edge") - idle) / (time.monotonic() - began)
    used, began, sent = cpu_s(pipeline, "edge"), time.monotonic(), 0
    async with ClientSession() as http:
        url = f"{pipeline.gateway_url}{path_of(stream, 'reactions')}"
        while time.monotonic() < began + seconds:
            body = CLAP * random.randint(1000, 3000)
            async with http.post(url, data=body, headers={"Content-Type": "application/x-ndjson"}) as answer:
                assert answer.status == 202
            sent += body.count(b"\n")
    ended = time.monotonic()
    used = (cpu_s(pipeline, "edge") - used) / (ended - began) - idle
    wanted = f'"totals":{{"👏":{sent}}}'.encode()
    await until(lambda: all(wanted in screen.seen for screen in watching))
    after_ms = (time.monotonic() - ended) * 1000
    show(f"exact total on {viewers:,} screens after a burst's end", after_ms, " ms")
    show("edge's processor for pushes meanwhile", used * 100, " % of a core")
    sample("crowd screens", f"{viewers} viewers", after_ms)
    for screen in watching:
        screen.transport.close()


# ── votes ────────────────────────────────────────────────────────────────────────────────────────────────


async def votes(pipeline: Pipeline, rate: int, seconds: float) -> None:
    """Votes by Kafka at a rate; of some, by a viewer, how long until the count that they are in is told."""
    stream = Stream(Kind.CHAT, "votes")
    poll = await begin(pipeline, str(stream))
    producer = Producer(client_config(pipeline.settings, linger_ms=5, queue_buffering_max_messages=500_000))
    topic, said = topic_names(pipeline.settings).reactions, 0
    sent, seen = list[tuple[int, float]](), list[tuple[int, float]]()
    async with connect(f"{pipeline.edge_url}?user=probe", compression=None) as wire:
        heard = asyncio.create_task(listen(wire, seen))
        await wire.send(json.dumps({"op": "subscribe", "id": 1, "stream": str(stream), "reactions": True}))
        began, due = time.monotonic(), time.monotonic()
        while time.monotonic() < began + seconds:
            for _ in range(rate // 50):
                vote = made(stream, VOTE, target=poll, user=f"v{said}", option=said % 3)
                producer.produce(topic, _CODEC.encode(vote), stream.channel.encode())
                said += 1
            at = time.monotonic()
            producer.poll(0)
            sent.append((said, at))
            due += 0.02
            await asyncio.sleep(max(0.0, due - time.monotonic()))
        producer.flush()
        await until(lambda: bool(seen) and seen[-1][0] >= said)
        heard.cancel()
    waits = delays(sent, seen)
    p99 = quantiles(waits, n=100)[98]
    show(f"a vote's count on screen at {said / seconds:,.0f} votes/s, p99", p99 * 1000, " ms")
    sample("crowd votes", "p99", p99 * 1000)


async def listen(wire: ClientConnection, seen: list[tuple[int, float]]) -> None:
    async for frame in wire:
        for line in str(frame).splitlines():
            message = json.loads(line)
            if message["op"] == "poll":
                seen.append((message["voters"], time.monotonic()))


def delays(sent: Sequence[tuple[int, float]], seen: Sequence[tuple[int, float]]) -> list[float]:
    """Of each part that was sent, how long until a count had it."""
    found, at = [], 0
    for number, when in sent:
        while at < len(seen) and seen[at][0] < number:
            at += 1
        if at < len(seen):
            found.append(seen[at][1] - when)
    return found


async def until(holds: Callable[[], bool]) -> None:
    """Look again until it is so."""
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110 - it looks, each time anew
            await asyncio.sleep(0.005)


def show(what: str, figure: float, rest: str) -> None:
    sys.stdout.write(f"{what}: {figure:,.0f}{rest}\n")
    sys.stdout.flush()


PARTS: Final = ("fold", "doors", "screens", "votes")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; all, if none is named")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--viewers", type=int, default=1000)
    parser.add_argument("--count", type=int, default=300_000)
    parser.add_argument("--rate", type=int, default=10_000)
    given = parser.parse_args()
    if unknown := set(given.parts) - set(PARTS):
        parser.error(f"There is no {', '.join(sorted(unknown))}.")
    servers = load_settings().kafka.bootstrap_servers
    limits = {
        "TOUCHLINE_EDGE_MAX_CONNECTIONS_PER_ADDRESS": "20000",
        "TOUCHLINE_EDGE_MAX_CONNECTIONS_PER_USER": "20000",
        "TOUCHLINE_STREAM_USER_EVENTS_PER_S": "1000000",
    }
    with (
        tempfile.TemporaryDirectory(prefix="touchline-bench-") as logs,
        running(servers, "http://127.0.0.1:9", Path(logs), "stream", "edge", "gateway", **limits) as pipeline,
    ):
        for part in given.parts or PARTS:
            match part:
                case "fold":
                    fold(pipeline, given.count)
                case "doors":
                    asyncio.run(doors(pipeline, given.seconds))
                case "screens":
                    asyncio.run(screens(pipeline, given.viewers, given.seconds))
                case _:
                    asyncio.run(votes(pipeline, given.rate, given.seconds))


if __name__ == "__main__":
    main()
