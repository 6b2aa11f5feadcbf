"""Python's other ways to fan out, for bench/edges.py: `websockets.broadcast`, picows, and the smallest thing
that reads Kafka and writes to viewers. Their control line is that of bench/fan_servers.py.

    python -m bench.fan_peers broadcast|picows --port P --ctl P
    python -m bench.fan_peers prototype --port P --kafka SERVERS --topic T
"""

import argparse
import asyncio
import base64
import hashlib
import resource
import struct
import threading
from typing import cast

import uvloop

from bench.fan_servers import body, control


def frame(payload: bytes) -> bytes:
    """A WebSocket text frame as a server sends it."""
    size = len(payload)
    if size < 126:
        return bytes((0x81, size)) + payload
    return struct.pack("!BBH" if size < 65536 else "!BBQ", 0x81, 126 if size < 65536 else 127, size) + payload


async def broadcast(port: int, control_port: int) -> None:
    """`websockets` as its documentation recommends it."""
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
        await control(control_port, publish)


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
    """A viewer of the prototype: a handshake, and then what comes from him is not looked at."""

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


async def prototype(port: int, servers: str, topic: str) -> None:
    """The least that a Python edge could do: a consumer in a thread, and all that came within 10 ms in one
    write per viewer. No auth, no positions, no history, no bound: what ours costs beyond it is their price.
    """
    from confluent_kafka import OFFSET_END, Consumer, TopicPartition

    loop, everybody, written = asyncio.get_running_loop(), set[asyncio.Transport](), threading.Event()

    def write(payloads: list[bytes]) -> None:
        ready = b"".join(map(frame, payloads))
        for viewer in everybody:
            viewer.write(ready)
        written.set()

    def read() -> None:
        consumer = Consumer(
            {
                "bootstrap.servers": servers,
                "group.id": "bench-prototype",
                "enable.auto.commit": False,
                "fetch.wait.max.ms": 10,
            }
        )
        partitions = consumer.list_topics(topic).topics[topic].partitions
        consumer.assign([TopicPartition(topic, number, OFFSET_END) for number in partitions])
        while True:
            payloads = [m.value() or b"" for m in consumer.consume(2000, 0.01) if not m.error()]
            if payloads:
                written.clear()
                loop.call_soon_threadsafe(write, payloads)
                written.wait()  # the next ones only when these are written: batches grow under load

    await loop.create_server(lambda: _Viewer(everybody), "127.0.0.1", port, backlog=4096)
    threading.Thread(target=read, daemon=True).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("server", choices=["broadcast", "picows", "prototype"])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--ctl", type=int)
    parser.add_argument("--kafka")
    parser.add_argument("--topic")
    given = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if given.server == "prototype":
        uvloop.run(prototype(given.port, given.kafka, given.topic))
    else:
        uvloop.run({"broadcast": broadcast, "picows": picows}[given.server](given.port, given.ctl))
