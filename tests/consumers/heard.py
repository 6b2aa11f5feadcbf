"""What a viewer makes of the bytes that were written to it, by docs/protocol.md alone."""

import json
from collections.abc import Iterator
from typing import Any

from tests.security.wire import Transport


def head_and_rest(transport: Transport) -> tuple[bytes, bytes]:
    """The HTTP response's head, and what followed it; no head where the test has cleared it away."""
    written = bytes(transport.written)
    head, _, rest = written.partition(b"\r\n\r\n")
    return (head, rest) if written.startswith(b"HTTP/") else (b"", written)


def status(transport: Transport) -> int:
    """With what the request was answered."""
    return int(transport.written.split(b" ", 2)[1])


def _frames(data: bytes) -> Iterator[tuple[int, bytes]]:
    while data:
        size, start = data[1], 2
        if size == 126:
            size, start = int.from_bytes(data[2:4]), 4
        yield data[0] & 0x0F, data[start : start + size]
        data = data[start + size :]


def messages(transport: Transport, *ops: str) -> list[dict[str, Any]]:
    """The messages of these sorts on a WebSocket since its handshake."""
    texts = [payload for opcode, payload in _frames(head_and_rest(transport)[1]) if opcode == 1]
    every = [json.loads(line) for text in texts for line in text.splitlines()]
    return [message for message in every if message["op"] in ops]


def close_code(transport: Transport) -> int | None:
    """The code that a WebSocket was closed with; None: it is open."""
    codes = [int.from_bytes(payload[:2]) for opcode, payload in _frames(head_and_rest(transport)[1])
             if opcode == 8]  # fmt: skip
    assert bool(codes) is transport.closed
    return codes[0] if codes else None


def events(source: Transport, name: str = "message") -> list[dict[str, Any]]:
    """What server-sent events of this name said."""
    found = []
    for block in head_and_rest(source)[1].decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if fields and fields.get("event", "message") == name:
            found.append(json.loads(fields["data"]))
    return found


def answer(poll: Transport) -> dict[str, Any]:
    """The answer to a poll, or the refusal."""
    found: dict[str, Any] = json.loads(head_and_rest(poll)[1])
    return found
