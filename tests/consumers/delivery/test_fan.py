"""docs/decisions/0044: on real sockets that fill up, close and break, whichever way they are written to."""

import asyncio
import contextlib
import json
import os
import random
import socket
import struct
from collections.abc import AsyncIterator, Coroutine

import pytest
import uvloop
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side, State

from bench.rig.edge_alone import bare_service
from consumers.delivery import broadcast as fan
from consumers.delivery.hub import Raw
from consumers.service.service import Service
from consumers.transport.connection import ViewerConnection
from consumers.transport.frames import close_frame
from consumers.transport.handshake import Handshake
from kernel.close_codes import CLOSES, Close
from schemas.codec import Codec

STREAMS = ("chat:one", "chat:two")
HANDSHAKE = (
    b"GET /v1/ws?device=%d HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
_codec = Codec("fanout")


@pytest.fixture(params=["one call for all", "one write a viewer"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "one write a viewer":
        monkeypatch.setattr(fan, "write_to_all", None)
    elif fan.write_to_all is None:
        pytest.skip("no C compiler was there when the package was installed")


def said(**message: object) -> bytes:
    return Frame(Opcode.TEXT, json.dumps(message).encode()).serialize(mask=True)


class Client:
    """A viewer of both streams who reads when told to, from a socket that holds little."""

    def __init__(self, port: int, number: int) -> None:
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32_768)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setblocking(False)
        asks = [said(op="subscribe", id=n, stream=name) for n, name in enumerate(STREAMS, 1)]
        self.socket.send(HANDSHAKE % number + b"".join(asks))
        self.received = bytearray()

    async def read(self, size: int) -> bool:
        got = await asyncio.get_running_loop().sock_recv(self.socket, size)
        self.received += got
        return bool(got)

    def read_some(self, size: int) -> None:
        with contextlib.suppress(BlockingIOError):
            self.received += self.socket.recv(size)

    async def read_until(self, text: bytes) -> None:
        async with asyncio.timeout(60):
            at = 0
            while self.received.find(text, at) < 0:
                at = max(0, len(self.received) - len(text))
                assert await self.read(1 << 20), "closed"

    @property
    def frames(self) -> list[Frame]:
        """The complete frames that came after the handshake."""
        wire = Protocol(Side.CLIENT, state=State.OPEN)
        wire.receive_data(bytes(self.received.split(b"\r\n\r\n", 1)[1]))
        return [event for event in wire.events_received() if isinstance(event, Frame)]

    def seqs(self, stream: str) -> list[int]:
        events = [json.loads(bytes(frame.data)) for frame in self.frames if frame.opcode is Opcode.TEXT]
        return [e["seq"] for e in events if e.get("op") == "event" and e["stream"] == stream]


def publish(service: Service, seq: int, size: int) -> None:
    """One turn that brings an event to each stream."""
    records = []
    for stream in STREAMS:
        body = json.dumps({"stream": stream, "seq": seq, "filler": "x" * size}, separators=(",", ":"))
        record = {"stream": stream, "seq": seq, "server_ts": 0, "body": body.encode()}
        records.append(Raw(0, f"{stream[5:]}#1#0".encode(), _codec.encode(record)))
    service.subscriptions.hub.take("live", records)


@contextlib.asynccontextmanager
async def served(viewers: int) -> AsyncIterator[tuple[Service, list[Client]]]:
    service, loop = bare_service(), asyncio.get_running_loop()
    server = await loop.create_server(lambda: Handshake(service, {}, secure=False), "127.0.0.1", 0)
    listening = socket.socket(fileno=os.dup(server.sockets[0].fileno()))
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16_384)
    port = listening.getsockname()[1]
    listening.close()
    clients = [Client(port, number) for number in range(viewers)]
    for client in clients:
        await client.read_until(b'"id":2}')
    yield service, clients
    server.close()
    for client in clients:
        client.socket.close()
    async with asyncio.timeout(60):
        while list(service.admission.viewers()):  # noqa: ASYNC110 - they leave by themselves
            await asyncio.sleep(0.01)


def on(loop: str, test: Coroutine[None, None, None]) -> None:
    if loop == "uvloop":
        uvloop.run(test)
    else:
        asyncio.run(test)


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
@pytest.mark.parametrize("seed", range(2))
def test_sockets_that_fill_up_at_any_byte_get_everything_in_order(loop: str, seed: int) -> None:
    async def test() -> None:
        chance = random.Random(seed)
        async with served(8) as (service, clients):
            for seq in range(1, 100):
                publish(service, seq, chance.choice((10, 300, 2_000, 30_000)))
                for client in clients:
                    # The first reads all there is, the last next to nothing.
                    if chance.random() < 1 - clients.index(client) / 8:
                        client.read_some(chance.choice((7, 4096, 1 << 20)))
                # Sometimes there is room again before the transport knows it.
                if chance.random() < 0.5:
                    await asyncio.sleep(0)
            full = any(viewer.paused for viewer in service.admission.viewers())
            assert full, "no socket was full: nothing was tried"
            publish(service, 100, 0)
            for client in clients:
                for stream in STREAMS:
                    await client.read_until(b'"stream":"%b","seq":100' % stream.encode())
                assert client.seqs("chat:one") == client.seqs("chat:two") == list(range(1, 101))

    on(loop, test())


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_nothing_follows_a_close_frame_and_broken_sockets_harm_nobody(loop: str) -> None:
    async def test() -> None:
        async with served(3) as (service, (leaving, breaking, staying)):
            publish(service, 1, 10)
            leaver = next(
                v for v in service.admission.viewers() if isinstance(v, ViewerConnection) and v.device == "0"
            )
            leaver.end(Close.ABUSE)
            publish(service, 2, 10)
            breaking.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            breaking.socket.close()  # a reset: the edge finds out when it writes
            seq = 2
            async with asyncio.timeout(60):
                while len(list(service.admission.viewers())) > 1:
                    publish(service, seq := seq + 1, 10)
                    await asyncio.sleep(0)
            await staying.read_until(b'"stream":"chat:two","seq":%d' % seq)
            assert staying.seqs("chat:one") == list(range(1, seq + 1))
            while await leaving.read(1 << 20):
                pass
            assert leaving.received.endswith(close_frame(Close.ABUSE, CLOSES[Close.ABUSE]))

    on(loop, test())
