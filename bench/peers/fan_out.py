"""Python's other ways to fan out, for bench/edges.py: `websockets.broadcast`, picows, and the smallest thing
that reads Kafka and writes to viewers. Their control line is that of bench/rig/edge_alone.py.

    python -m bench.peers.fan_out broadcast|picows --port P --ctl P
    python -m bench.peers.fan_out broadcast|prototype --port P --kafka SERVERS --topic T
    python -m bench.peers.fan_out feed --ctl P --kafka SERVERS --topic T

All that read Kafka read it alike (`batches`), and take the next records when the last ones are written.
feed    reads Kafka for the bare server, whose control port it is.
"""

import argparse
import asyncio
import base64
import hashlib
import resource
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, cast

import uvloop
from confluent_kafka import OFFSET_END, Consumer, TopicPartition

from bench.rig.edge_alone import body, control


def frame(payload: bytes) -> bytes:
    """A WebSocket text frame as a server sends it."""
    size = len(payload)
    if size < 126:
        return bytes((0x81, size)) + payload
    return struct.pack("!BBH" if size < 65536 else "!BBQ", 0x81, 126 if size < 65536 else 127, size) + payload


def frames(payloads: Sequence[bytes]) -> bytes:
    """A frame for each, ready for one write."""
    return b"".join(map(frame, payloads))


def block(data: bytes) -> bytes:
    """What the bare server takes as one write: its length, and the bytes."""
    return struct.pack("!I", len(data)) + data


class Source(NamedTuple):
    """A topic."""

    servers: str
    topic: str


def consumer(source: Source) -> Consumer:
    """Reads what comes to the topic from now on."""
    made = Consumer(
        {
            "bootstrap.servers": source.servers,
            "group.id": "bench-fan-out",
            "enable.auto.commit": False,
            "fetch.wait.max.ms": 10,
        }
    )
    partitions = made.list_topics(source.topic).topics[source.topic].partitions
    made.assign([TopicPartition(source.topic, number, OFFSET_END) for number in partitions])
    return made


def batches(reading: Consumer) -> Iterator[list[bytes]]:
    """All that has come within 10 ms, again and again."""
    while True:
        payloads = [m.value() or b"" for m in reading.consume(2000, 0.01) if not m.error()]
        if payloads:
            yield payloads


def write_from(source: Source, write: Callable[[list[bytes]], None]) -> None:
    """Read in a thread, and have the running loop write batch by batch."""
    loop, written = asyncio.get_running_loop(), threading.Event()

    def turn(payloads: list[bytes]) -> None:
        write(payloads)
        written.set()

    def read() -> None:
        for payloads in batches(consumer(source)):
            written.clear()
            loop.call_soon_threadsafe(turn, payloads)
            written.wait()  # the next ones only when these are written: batches grow under load

    threading.Thread(target=read, daemon=True).start()


async def broadcast(port: int, control_port: int, source: Source | None) -> None:
    """`websockets` as its documentation recommends it. It makes a frame for each viewer, so a batch from
    Kafka is one message, with a line for each event.
    """
    from websockets.asyncio.server import ServerConnection, serve
    from websockets.asyncio.server import broadcast as send

    everybody: set[ServerConnection] = set()

    async def handler(viewer: ServerConnection) -> None:
        everybody.add(viewer)
        try:
            await viewer.wait_closed()
        finally:
            everybody.discard(viewer)

    def publish(number: int, due: int, size: int) -> None:
        send(everybody, body(number, due, size), text=True)

    async with serve(handler, "127.0.0.1", port, compression=None, ping_interval=None, backlog=4096):
        if source is None:
            await control(control_port, publish)
        else:
            write_from(source, lambda payloads: send(everybody, b"\n".join(payloads), text=True))
            await asyncio.Event().wait()


async def picows(port: int, control_port: int) -> None:
    """picows at its quickest: the frame is made once, and written to each viewer's transport."""
    from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

    everybody: set[asyncio.Transport] = set()

    class Viewer(WSListener):
        def on_ws_connected(self, transport: WSTransport) -> None:
            everybody.add(transport.underlying_transport)

        def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
            if frame.msg_type == WSMsgType.CLOSE:
                transport.disconnect()

        def on_ws_disconnected(self, transport: WSTransport) -> None:
            everybody.discard(transport.underlying_transport)

    def publish(number: int, due: int, size: int) -> None:
        ready = frame(body(number, due, size))
        for viewer in everybody:
            viewer.write(ready)

    def welcome(_: WSUpgradeRequest) -> WSListener:
        return Viewer()

    await ws_create_server(welcome, "127.0.0.1", port, backlog=4096)
    await control(control_port, publish)


class _Viewer(asyncio.Protocol):
    """A viewer of the prototype: a handshake, and then what comes from it is not looked at."""

    _GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

    def __init__(self, everybody: set[asyncio.Transport]) -> None:
        self._everybody, self._head, self._open = everybody, b"", False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name

    def data_received(self, data: bytes) -> None:
        if self._open:
            return
        self._head += data
        if not self._head.endswith(b"\r\n\r\n"):
            return
        lines = self._head.split(b"\r\n")
        key = next(line[18:].strip() for line in lines if line.lower().startswith(b"sec-websocket-key:"))
        accept = base64.b64encode(hashlib.sha1(key + self._GUID).digest())  # noqa: S324 - RFC 6455
        upgrade = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        self._transport.write(upgrade + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
        self._open = True
        self._everybody.add(self._transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._everybody.discard(self._transport)


async def prototype(port: int, source: Source) -> None:
    """The least that a Python edge could do: a consumer in a thread, and all that came within 10 ms in one
    write per viewer. No auth, no positions, no history, no bound: what ours costs beyond it is their price.
    """
    everybody: set[asyncio.Transport] = set()

    def write(payloads: list[bytes]) -> None:
        ready = frames(payloads)
        for viewer in everybody:
            viewer.write(ready)

    loop = asyncio.get_running_loop()
    await loop.create_server(lambda: _Viewer(everybody), "127.0.0.1", port, backlog=4096)
    write_from(source, write)
    await asyncio.Event().wait()


def feed(control_port: int, source: Source) -> None:
    """Hand the bare server what it is to write. Says on standard output when it reads."""
    with socket.create_connection(("127.0.0.1", control_port)) as server:

        def hand_over(data: bytes) -> None:
            server.sendall(data)
            if not server.recv(1):
                raise ConnectionError("the bare server has closed its control line")

        hand_over(b"feed\n")
        reading = consumer(source)
        print("reads", flush=True)
        for payloads in batches(reading):
            hand_over(block(frames(payloads)))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("server", choices=["broadcast", "picows", "prototype", "feed"])
    parser.add_argument("--port", type=int)
    parser.add_argument("--ctl", type=int)
    parser.add_argument("--kafka")
    parser.add_argument("--topic")
    given = parser.parse_args()
    source = Source(given.kafka, given.topic) if given.kafka else None
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    match given.server:
        case "broadcast":
            uvloop.run(broadcast(given.port, given.ctl, source))
        case "picows":
            uvloop.run(picows(given.port, given.ctl))
        case "prototype":
            assert source is not None, "the prototype reads Kafka: --kafka and --topic"
            uvloop.run(prototype(given.port, source))
        case _:
            assert source is not None, "the bare server is fed from Kafka: --kafka and --topic"
            feed(given.ctl, source)


if __name__ == "__main__":
    main()
