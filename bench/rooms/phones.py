"""Devices as a load: bare WebSockets on one loop, of which only what is needed is looked at."""

import asyncio
import json
import os
import struct
from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from urllib.parse import quote

import msgspec

_HELLO = (
    "GET /v1/ws?user={user}&device={device} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
    "Sec-WebSocket-Protocol: touchline.v1\r\n\r\n"
)
_AT_ONCE = 200


class Phone(asyncio.Protocol):
    """A device: requests with their replies, and each line that comes, as bytes."""

    def __init__(self, user: str, device: str, port: int, on_line: Callable[["Phone", bytes], None]) -> None:
        self.user, self._on_line = user, on_line
        self._hello = _HELLO.format(
            user=quote(user), device=device, port=port, key=b64encode(os.urandom(16)).decode()
        )
        self._buffer = bytearray()
        self._open = False
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._last = 0
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        #: The latest `seq` of each stream that it has, and has not acknowledged.
        self.seqs: dict[str, int] = {}
        self.events = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._hello.encode())

    def connection_lost(self, exc: Exception | None) -> None:
        error = ConnectionError(f"{self.user} lost its connection: {exc}")
        for future in (self.ready, *self._answers.values()):
            if not future.done():
                future.set_exception(error)
                future.exception()  # whoever waits for it is told

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        if not self._open:
            end = buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            assert buffer.startswith(b"HTTP/1.1 101"), bytes(buffer[:200])
            del buffer[: end + 4]
            self._open = True
        at, size = 0, len(buffer)
        while size - at >= 2:
            length, start = buffer[at + 1] & 127, at + 2
            if length == 126:
                start, length = at + 4, int.from_bytes(buffer[at + 2 : at + 4]) if size - at >= 4 else size
            elif length == 127:
                start, length = at + 10, int.from_bytes(buffer[at + 2 : at + 10]) if size - at >= 10 else size
            if start + length > size:
                break
            opcode = buffer[at] & 15
            if opcode == 1:
                for line in bytes(buffer[start : start + length]).split(b"\n"):
                    self._line(line)
            elif opcode == 9:
                self._transport.write(b"\x8a\x80\0\0\0\0")
            at = start + length
        del buffer[:at]

    def _line(self, line: bytes) -> None:
        if line.startswith(b'{"op":"event"'):
            self.events += 1
        elif line.startswith(b'{"op":"welcome"'):
            if not self.ready.done():
                self.ready.set_result(None)
            return
        elif (b'"id":' in line[:120] or b'"id":' in line[-30:]) and not line.startswith(b'{"op":"gap"'):
            # What a reply is about may be long, as an inbox is: its `id` comes last.
            message = msgspec.json.decode(line)
            future = self._answers.pop(message.get("id"), None)
            if future is not None and not future.done():
                future.set_result(message)
                return
        self._on_line(self, line)

    def send(self, message: Any) -> None:
        payload = json.dumps(message).encode() if isinstance(message, dict) else message
        size = len(payload)
        head = bytes((0x81, 0x80 | size)) if size < 126 else b"\x81" + struct.pack("!BH", 0xFE, size)
        self._transport.write(head + b"\0\0\0\0" + payload)

    def ask(self, op: str, **fields: Any) -> "asyncio.Future[dict[str, Any]]":
        """Send a request; its reply."""
        self._last += 1
        future = self._answers[self._last] = asyncio.get_running_loop().create_future()
        self.send({"id": self._last, "op": op, **fields})
        return future

    async def done(self, op: str, **fields: Any) -> dict[str, Any]:
        """The reply, which is none of an error."""
        reply = await asyncio.wait_for(self.ask(op, **fields), 60)
        assert reply["op"] != "error", reply
        return reply

    def ack(self) -> None:
        """Acknowledge what has come since the last time."""
        if self.seqs:
            self.send({"op": "ack", "seqs": self.seqs})
            self.seqs = {}

    def close(self) -> None:
        self._transport.close()


def note_seq(phone: Phone, line: bytes) -> None:
    """Take down how far an event's stream is: the first fields of a line, cut out of it."""
    if not line.startswith(b'{"op":"event"'):
        return
    at = line.find(b'"stream":"') + 10
    stream = line[at : line.find(b'"', at)].decode()
    at = line.find(b'"seq":', at) + 6
    phone.seqs[stream] = int(line[at : line.find(b",", at)])


def nothing(_: Phone, __: bytes) -> None:
    """Nobody looks at it."""


async def connected(
    port: int, users: Iterable[str], device: str, on_line: Callable[[Phone, bytes], None] = nothing
) -> list[Phone]:
    """A device of each of these users."""
    loop = asyncio.get_running_loop()
    found: list[Phone] = []
    wanted = list(users)
    for start in range(0, len(wanted), _AT_ONCE):
        some = await asyncio.gather(
            *(
                loop.create_connection(
                    lambda user=user: Phone(user, device, port, on_line),
                    "127.0.0.1",
                    port,  # type: ignore[misc]
                )
                for user in wanted[start : start + _AT_ONCE]
            )
        )
        phones = [phone for _, phone in some]
        await asyncio.gather(*(phone.ready for phone in phones))
        found += phones
    return found


async def synced(phones: Sequence[Phone]) -> None:
    """All of them follow their rooms."""
    for start in range(0, len(phones), _AT_ONCE):
        replies = await asyncio.gather(*(phone.ask("sync") for phone in phones[start : start + _AT_ONCE]))
        assert all(reply["op"] == "synced" for reply in replies), replies[0]


def close(phones: Iterable[Phone]) -> None:
    for phone in phones:
        phone.close()
