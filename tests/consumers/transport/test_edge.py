"""An edge on a real Kafka, and clients written from docs/protocol.md alone."""

import asyncio
import contextlib
import json
import random
import signal
import socket
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from consumers.client.viewer import Viewer
from embedded.backends.servers import Servers
from kernel.process.probe import answers
from tests.consumers.bare import bare
from tests.consumers.crowd import crowd, each_has
from tests.consumers.edges import EPOCH, EdgeProcess, Fanout, edges

#: Events that a ring holds where a test must not need the log behind it.
RING = 8192


@pytest.fixture(scope="module")
def place(
    kafka_servers: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Fanout, EdgeProcess]]:
    with edges(kafka_servers, tmp_path_factory.mktemp("edge"), max_frame_bytes=2000) as (fanout, (edge,)):
        yield fanout, edge


async def test_a_stranger_is_welcomed_and_told_the_limits(place: tuple[Fanout, EdgeProcess]) -> None:
    """§2"""
    async with bare(place[1].url) as (client, welcome):
        assert client.wire.subprotocol == "touchline.v1"
        assert welcome["auth"] == "anonymous"
        assert welcome["heartbeat_ms"] == 25_000
        assert welcome["limits"]["max_frame_bytes"] == 2000


async def test_events_come_live_and_in_order(place: tuple[Fanout, EdgeProcess]) -> None:
    """§4"""
    fanout, edge = place
    before = fanout.write("chat:live", 3)
    async with bare(edge.url) as (client, _):
        await client.say(op="subscribe", id=1, stream="chat:live", after=EPOCH - 1)
        subscribed = await client.hear("subscribed")
        assert (subscribed["id"], subscribed["recovered"]) == (1, True)
        assert [(await client.hear("event"))["seq"] for _ in before] == before
        written = fanout.write("chat:live", 5)
        events = [await client.hear("event") for _ in written]
        assert [event["seq"] for event in events] == written
        assert [event["prev"] for event in events] == [before[-1], *written[:-1]]
        assert events[0]["data"] == {"text": "hello"}


def test_a_page_that_somebody_happens_to_look_at_cannot_drain_an_edge(
    place: tuple[Fanout, EdgeProcess],
) -> None:
    """§10: on loopback nobody needs a token, and any page may send a plain POST there."""
    asked = urllib.request.Request(f"{place[1].http}/v1/drain", method="POST", headers={"Origin": "http://a"})
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(asked)


async def test_nothing_follows_an_unsubscription(place: tuple[Fanout, EdgeProcess]) -> None:
    fanout, edge = place
    async with bare(edge.url) as (client, _):
        await client.say(op="subscribe", id=1, stream="chat:left")
        await client.hear("subscribed")
        await client.say(op="unsubscribe", id=2, stream="chat:left")
        assert (await client.hear("ok"))["id"] == 2
        fanout.write("chat:left", 2)
        await client.say(op="ping", id=3)
        assert (await client.hear("pong"))["id"] == 3


async def test_a_cursor_gives_what_was_missed(place: tuple[Fanout, EdgeProcess]) -> None:
    """§5"""
    fanout, edge = place
    written = fanout.write("broadcast:missed", 20)
    async with bare(edge.url) as (first, _), bare(edge.url) as (client, _):
        await first.say(op="subscribe", id=1, stream="broadcast:missed", after=0)
        await first.hear("subscribed")
        while (await first.hear("event"))["seq"] != written[-1]:
            pass  # only what the edge has read can be counted
        await client.say(op="subscribe", id=1, stream="broadcast:missed", after=written[4])
        subscribed = await client.hear("subscribed")
        assert (subscribed["recovered"], subscribed["behind"]) == (True, 15)
        assert [(await client.hear("event"))["seq"] for _ in range(15)] == written[5:]


async def test_presence_is_told_and_pushed(place: tuple[Fanout, EdgeProcess]) -> None:
    """§8"""
    _, edge = place
    async with bare(edge.url) as (one, _), bare(edge.url) as (two, _):
        for client in (one, two):
            await client.say(op="subscribe", id=1, stream="chat:seen")
            await client.hear("subscribed")
        async with asyncio.timeout(60):  # the first may be told of itself alone, before the second is there
            while (await one.hear("presence"))["viewers"] != 2:
                pass
            await one.say(op="presence", id=9, stream="chat:seen")
            while "id" not in (told := await one.hear("presence")):
                pass
        assert told == {"op": "presence", "id": 9, "stream": "chat:seen", "viewers": 2}


async def test_a_frame_beyond_the_limit_ends_the_connection(place: tuple[Fanout, EdgeProcess]) -> None:
    """§6"""
    async with bare(place[1].url) as (client, _):
        await client.wire.send("x" * 2001)
        with pytest.raises(ConnectionClosed) as closed:
            await client.hear("event")
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009


def raw_request(port: int, *pieces: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=60) as wire:
        for piece in pieces:
            wire.sendall(piece)
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            while piece := wire.recv(65536):
                answer += piece
        return answer


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n", b"404"),
        (b"GET /v1/ws HTTP/1.1\r\nHost: localhost\r\n\r\n", b"426"),
        (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", b"200"),
        (b"GET /v1/drain HTTP/1.1\r\nHost: localhost\r\n\r\n", b"405"),
        (b"GET /v1/ws HTTP/1.1\r\nA: " + b"x" * 20_000 + b"\r\n\r\n", b"431"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"400"),
        (
            b"GET /v1/ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
            b"Origin: https://evil.example\r\n\r\n",
            b"403",
        ),
    ],
    ids=["404", "426", "health", "405", "431", "tls", "origin"],
)
def test_what_is_no_viewer_gets_an_answer_that_says_so(
    place: tuple[Fanout, EdgeProcess], request_bytes: bytes, status: bytes
) -> None:
    with socket.create_connection(("127.0.0.1", place[1].port), timeout=60) as wire:
        wire.sendall(request_bytes)
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            answer = wire.recv(65536)
        assert answer[9:12] == status


async def test_who_does_not_read_is_closed_and_who_reads_slowly_gets_everything(
    kafka_servers: str, tmp_path: Path
) -> None:
    """§6.3: neither costs memory, and the fast are not held up."""
    # Longer than a busy machine stands still: who reads slowly is not taken for one who does not read.
    given = {"slow_timeout_s": 8, "ring_events": 50_000}
    with edges(kafka_servers, tmp_path, **given) as (fanout, (edge,)):
        async with bare(edge.url, max_queue=1) as (slow, _), bare(edge.url, max_queue=1) as (dead, _):
            for client in (slow, dead):
                await client.say(op="subscribe", id=1, stream="chat:flood")
                await client.hear("subscribed")

            async def read_slowly(number: int) -> list[int]:
                seen: list[int] = []
                while len(seen) < number:
                    seen.append((await slow.hear("event"))["seq"])
                    if len(seen) % 50 == 0:
                        await asyncio.sleep(0.05)
                return seen

            async with Viewer(edge.url) as fast:
                events = fast.stream("chat:flood", after=0)
                first = fanout.write("chat:flood", 1)
                reading = asyncio.create_task(read_slowly(3001))
                assert (await anext(events)).seq == first[0]
                written = await asyncio.to_thread(fanout.write, "chat:flood", 3000, text="x" * 2000)
                got = [(await anext(events)).seq for _ in written]
                assert got == written
                await events.aclose()
            assert await reading == [*first, *written]

            def closed() -> bool:
                with urllib.request.urlopen(f"{edge.http}/metrics") as answer:
                    return b'touchline_closed_total{code="4101"} 1.0' in answer.read()

            async with asyncio.timeout(60):
                while not await asyncio.to_thread(closed):  # noqa: ASYNC110 - another process
                    await asyncio.sleep(0.1)


async def test_a_rolling_restart_and_kills_cost_nobody_an_event(
    kafka_servers: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """§7: edges drain or die one after the other under load; each viewer has each event once, in order."""
    seed = random.randrange(10**6)
    record_property("seed", seed)
    chance = random.Random(seed)
    with edges(kafka_servers, tmp_path, 3, drain_s=2, reconnect_jitter_ms=200, ring_events=RING) as (
        fanout,
        three,
    ):
        urls = [edge.url for edge in three]
        first = fanout.write("chat:roll", 1)
        stop = asyncio.Event()

        async def load() -> None:
            # Fewer than a ring holds: what lies beyond it is on touchline.events, where nobody writes here.
            while not stop.is_set() and len(fanout.written["chat:roll"]) < RING // 2:
                await asyncio.to_thread(fanout.write, "chat:roll", chance.randrange(1, 5))
                await asyncio.sleep(0.02)

        async with crowd("chat:roll", 30, lambda n: urls[n % 3 :] + urls[: n % 3], seed=seed) as seen:
            loading = asyncio.create_task(load())
            for edge in three:
                how = chance.choice([signal.SIGTERM, signal.SIGTERM, signal.SIGKILL])
                await asyncio.to_thread(edge.kill, how)
                await asyncio.to_thread(edge.restart)
            stop.set()
            await loading
            written = fanout.written["chat:roll"]
            assert written[0] == first[0]
            await each_has(seen, len(written))
        assert all(got == written for got in seen)


async def test_server_sent_events_go_on_from_the_last_id(place: tuple[Fanout, EdgeProcess]) -> None:
    """§9.1, with curl: it knows nothing of this project."""
    fanout, edge = place
    written = fanout.write("chat:sse", 3)

    async def curl(count: int, *more: str) -> list[tuple[str, dict[str, Any]]]:
        command = [
            "curl",
            "-sN",
            "--max-time",
            "120",
            *more,
            f"{edge.http}/v1/sse?stream=chat:sse&after={EPOCH - 1}",
        ]
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        assert process.stdout is not None
        found: list[tuple[str, dict[str, Any]]] = []
        last_id = ""
        while len(found) < count:
            got = await process.stdout.readline()
            assert got, f"it ended after {found}"
            line = got.decode().rstrip("\n")
            if line.startswith("id: "):
                last_id = line[4:]
            elif line.startswith('data: {"op":"event"'):
                found.append((last_id, json.loads(line[6:])))
        process.kill()
        await process.wait()
        return found

    first = await curl(3)
    assert [event["seq"] for _, event in first] == written
    more = fanout.write("chat:sse", 2)
    again = await curl(2, "-H", f"Last-Event-ID: {first[-1][0]}")
    assert [event["seq"] for _, event in again] == more


async def test_long_polling_misses_nothing_between_polls(place: tuple[Fanout, EdgeProcess]) -> None:
    """§9.2"""
    fanout, edge = place

    def poll(query: str) -> dict[str, Any]:
        with urllib.request.urlopen(f"{edge.http}/v1/poll?stream=chat:poll&{query}", timeout=60) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    seen: list[int] = []
    cursor = f"chat:poll={EPOCH - 1}"
    for _ in range(5):
        fanout.write("chat:poll", 3)
        while len(seen) < len(fanout.written["chat:poll"]):
            answer = await asyncio.to_thread(poll, f"cursor={cursor}&wait=10")
            seen += [event["seq"] for event in answer["events"]]
            cursor = answer["cursor"]
    assert seen == fanout.written["chat:poll"]
    assert await asyncio.to_thread(poll, f"cursor={cursor}&wait=0.1") == {"events": [], "cursor": cursor}


@pytest.mark.parametrize("query", ["", "stream=tv:x", "stream=chat:a&after=x", "stream=chat:a&wait=nan"])
def test_a_wrong_request_for_a_fallback_is_refused(place: tuple[Fanout, EdgeProcess], query: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{place[1].http}/v1/sse?{query}", timeout=60)
    assert refused.value.code == 400
    refused.value.close()


async def test_an_edge_outlives_its_broker(make_servers: Callable[..., Servers], tmp_path: Path) -> None:
    """§10: not ready while Kafka is away; what comes after it is back is delivered, once."""
    servers = make_servers(with_elasticsearch=False)
    servers.start()
    with edges(servers.bootstrap_servers, tmp_path) as (fanout, (edge,)):
        async with Viewer(edge.url) as viewer:
            events = viewer.stream("chat:outage", after=EPOCH - 1)
            written = fanout.write("chat:outage", 3)
            assert [(await anext(events)).seq for _ in written] == written
            await asyncio.to_thread(servers.kafka.kill)
            async with asyncio.timeout(60):
                while await asyncio.to_thread(answers, f"{edge.http}/readyz"):  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
            await asyncio.to_thread(servers.kafka.start)
            async with asyncio.timeout(60):
                while not await asyncio.to_thread(answers, f"{edge.http}/readyz"):  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
            written = await asyncio.to_thread(fanout.write, "chat:outage", 3)
            assert [(await anext(events)).seq for _ in written] == written
            await events.aclose()
