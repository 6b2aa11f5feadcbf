"""A viewer's connection without a socket: what is written to it stays here."""

import asyncio
from typing import Any

from consumers.service.service import Service
from consumers.transport.handshake import Handshake
from consumers.transport.routes import fallback_routes

HANDSHAKE = (
    b"GET /v1/ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class Transport(asyncio.Transport):
    """A socket's near end: what is written stays here."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.closed = False
        self.protocol: asyncio.Protocol | None = None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True

    abort = close

    def is_closing(self) -> bool:
        return self.closed

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("10.0.0.1", 1) if name == "peername" else default

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        assert isinstance(protocol, asyncio.Protocol)
        self.protocol = protocol

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


def come(service: Service, bytes_: bytes, cuts: list[int]) -> Transport:
    """A connection that gets these bytes in pieces, and then is lost."""
    handshake = Handshake(service, fallback_routes(service), secure=False)
    transport = Transport()
    transport.protocol = handshake
    handshake.connection_made(transport)
    at = 0
    for cut in sorted({*(c % (len(bytes_) + 1) for c in cuts), len(bytes_)}):
        if transport.closed:
            break
        assert transport.protocol is not None
        transport.protocol.data_received(bytes_[at:cut])
        at = cut
    assert transport.protocol is not None
    transport.protocol.connection_lost(None)
    return transport
