"""Several requests in one frame, or one query: each sees what the one before it did."""

import asyncio
import json
import socket
from typing import Any

import pytest

from bench.fan_servers import bare_service
from consumers.service.service import Service
from consumers.transport.connection import ViewerConnection
from consumers.transport.handshake import Handshake
from consumers.transport.routes import fallback_routes
from kernel.settings import Edge, Settings
from tests.security.test_wire import frame
from tests.security.wire import HANDSHAKE, Transport


def opened(service: Service, head: bytes, near: Transport | None = None) -> Transport:
    """A connection that stays."""
    handshake, transport = Handshake(service, fallback_routes(service), secure=False), near or Transport()
    transport.protocol = handshake
    handshake.connection_made(transport)
    handshake.data_received(head)
    return transport


def ask(transport: Transport, *requests: dict[str, Any]) -> list[tuple[int, str]]:
    """Send these in one frame; each reply's id, and its op or its error's code."""
    assert isinstance(transport.protocol, ViewerConnection)
    transport.written.clear()
    transport.protocol.data_received(frame("\n".join(map(json.dumps, requests)).encode()))
    replies = [json.loads(part[part.index(b"{") :]) for part in bytes(transport.written).split(b"\x81")[1:]]
    return [(reply["id"], reply.get("code", reply["op"])) for reply in replies if "id" in reply]


def subscribe(number: int, stream: str) -> dict[str, Any]:
    return {"op": "subscribe", "id": number, "stream": stream}


def watching(service: Service) -> int:
    return sum(service.subscriptions.hub.viewers().values())


def lose(transport: Transport) -> None:
    assert transport.protocol is not None
    transport.protocol.connection_lost(None)


async def test_a_stream_that_is_asked_for_twice_is_watched_once() -> None:
    service = bare_service()
    transport = opened(service, HANDSHAKE)
    assert ask(transport, subscribe(1, "chat:a"), subscribe(2, "chat:a")) == [
        (1, "subscribed"),
        (2, "bad_request"),
    ]
    assert watching(service) == 1
    lose(transport)
    assert not service.subscriptions.hub.audiences()
    await service.close()


async def test_a_frame_cannot_hold_more_subscriptions_than_a_connection() -> None:
    service = bare_service(Settings(edge=Edge(max_subscriptions=2)))
    transport = opened(service, HANDSHAKE)
    replies = ask(transport, *(subscribe(number, f"chat:{number}") for number in range(1, 5)))
    assert replies == [(1, "subscribed"), (2, "subscribed"), (3, "limit_reached"), (4, "limit_reached")]
    lose(transport)
    await service.close()


async def test_what_a_line_has_begun_the_next_may_end() -> None:
    service = bare_service()
    transport = opened(service, HANDSHAKE)
    gone = {"op": "unsubscribe", "id": 2, "stream": "chat:a"}
    assert ask(transport, subscribe(1, "chat:a"), gone) == [(1, "subscribed"), (2, "ok")]
    assert watching(service) == 0
    lose(transport)
    await service.close()


async def test_fragments_without_a_byte_are_not_collected() -> None:
    service = bare_service()
    transport = opened(service, HANDSHAKE)
    assert isinstance(transport.protocol, ViewerConnection)
    transport.protocol.data_received(frame(b'{"op":', fin=False))
    for _ in range(1000):
        transport.protocol.data_received(frame(b"", opcode=0, fin=False))
    incoming = transport.protocol._incoming
    assert incoming is not None
    assert incoming.fragments == [b'{"op":']
    transport.written.clear()
    transport.protocol.data_received(frame(b'"ping","id":3}', opcode=0))
    assert b'{"op":"pong","id":3}' in transport.written
    lose(transport)
    await service.close()


async def test_a_query_that_names_a_stream_twice_watches_it_once() -> None:
    service = bare_service()
    source = opened(service, b"GET /v1/sse?stream=chat:a&stream=chat:a HTTP/1.1\r\nHost: h\r\n\r\n")
    assert source.written.count(b'"op":"subscribed"') == 1
    assert watching(service) == 1
    lose(source)
    assert not service.subscriptions.hub.audiences()
    await service.close()


async def test_a_query_may_name_as_many_streams_as_a_connection_may_watch() -> None:
    service = bare_service(Settings(edge=Edge(max_subscriptions=1)))
    source = opened(service, b"GET /v1/sse?stream=chat:a&stream=chat:b HTTP/1.1\r\nHost: h\r\n\r\n")
    assert source.written.startswith(b"HTTP/1.1 400")
    assert b"Name 1 to 1 streams" in source.written
    await asyncio.sleep(0)
    await service.close()


class Near(Transport):
    """One with a real socket's options."""

    def __init__(self) -> None:
        super().__init__()
        self.socket = socket.socket()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self.socket if name == "socket" else super().get_extra_info(name, default)


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="this system does not know it")
async def test_a_source_whose_other_side_takes_nothing_in_is_given_up_in_two_heartbeats() -> None:
    service = bare_service()
    handshake, transport = Handshake(service, fallback_routes(service), secure=False), Near()
    transport.protocol = handshake
    handshake.connection_made(transport)
    handshake.data_received(b"GET /v1/sse?stream=chat:a HTTP/1.1\r\nHost: h\r\n\r\n")
    given_up_ms = transport.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
    assert given_up_ms == 2 * service.edge.heartbeat_ms <= 60_000
    lose(transport)
    transport.socket.close()
    await service.close()
