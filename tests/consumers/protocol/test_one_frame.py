"""Several requests in one frame, or one query: each sees what the one before it did."""

import asyncio
import json
import socket
from typing import Any

import pytest

from bench.rig.edge_alone import bare_service
from bench.rig.known import KnownByHand
from consumers.service.service import Service
from consumers.transport.connection import ViewerConnection
from consumers.transport.handshake import Handshake
from consumers.transport.routes import fallback_routes
from control.channels.channel import ChannelRecord
from control.channels.channel import Settings as ChannelSettings
from history.pages import Page
from kernel.access.tokens import Grants, StaticKeys, Verifier
from kernel.clock import SystemClock
from kernel.log.positions import Stream
from kernel.settings.limits import Limits
from kernel.settings.reading import Auth, Settings
from kernel.settings.sections import Edge
from tests.security.test_wire import frame
from tests.security.wire import HANDSHAKE, Transport


class _KnowsAna(Verifier):
    """A token is its user's name, and that user may use what there is."""

    def __init__(self) -> None:
        super().__init__(Auth(), StaticKeys(Auth()), SystemClock())

    def grants(self, token: str) -> Grants:
        return Grants(user=token, can={"subscribe": ("*",), "history": ("*",), "publish": ("*",)})


CLOCK = SystemClock()
KNOWS_ANA = _KnowsAna()
ANA = HANDSHAKE.replace(b"/v1/ws", b"/v1/ws?token=ana")


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
    assert transport.protocol.fragments == [b'{"op":']
    transport.written.clear()
    transport.protocol.data_received(frame(b'"ping","id":3}', opcode=0))
    assert b'{"op":"pong","id":3}' in transport.written
    lose(transport)
    await service.close()


async def flooded(data: bytes, frames: int) -> tuple[int, bytes]:
    """So many of these frames of a guest's; how many were looked at, and the last thing that was said."""
    service = bare_service(verifier=KNOWS_ANA)
    transport = opened(service, HANDSHAKE)
    viewer = transport.protocol
    assert isinstance(viewer, ViewerConnection)
    transport.written.clear()
    number = 0
    while number < frames and not transport.is_closing():
        viewer.data_received(data)
        number += 1
    lose(transport)
    await service.close()
    return number, bytes(transport.written)


@pytest.mark.parametrize(
    ("data", "frames"),
    [
        (frame(b"\n" * 60_000), 1),
        (frame(b" \n" * 30_000), 1),
        (frame(b""), 400),
        (frame(b"x", opcode=2), 10),
        (frame(b"", opcode=9), 4000),
        (frame(b"", opcode=10), 4000),
    ],
    ids=["blank lines", "lines of spaces", "frames of nothing", "binary frames", "pings", "pongs"],
)
async def test_whatever_a_guest_sends_is_counted(data: bytes, frames: int) -> None:
    """Also what is no message at all: reading it takes time."""
    looked_at, said = await flooded(data, frames)
    assert looked_at <= frames
    assert b"\x88" in said, "the connection is closed"


async def test_a_user_has_so_many_subscriptions_over_all_connections() -> None:
    service = bare_service(Settings(edge=Edge(max_subscriptions_per_user=3)), verifier=KNOWS_ANA)
    one, other = opened(service, ANA), opened(service, ANA)
    assert ask(one, subscribe(1, "chat:a"), subscribe(2, "chat:b")) == [(1, "subscribed"), (2, "subscribed")]
    assert ask(other, subscribe(1, "chat:a")) == [(1, "subscribed")]
    assert ask(other, subscribe(2, "chat:c")) == [(2, "limit_reached")]
    assert ask(one, {"op": "unsubscribe", "id": 3, "stream": "chat:a"}) == [(3, "ok")]
    assert ask(other, subscribe(4, "chat:c")) == [(4, "subscribed")]
    lose(one)
    assert ask(other, subscribe(5, "chat:d")) == [(5, "subscribed")]
    lose(other)
    await service.close()


def closed_but_to(reader: str, channel: str) -> KnownByHand:
    """What an edge knows where only this user may read the channel."""
    state = KnownByHand(Settings(), CLOCK)
    say_who_reads(state, channel, reader, revision=1)
    return state


def say_who_reads(state: KnownByHand, channel: str, reader: str, *, revision: int) -> None:
    settings = ChannelSettings(readers=(reader,))
    record = ChannelRecord(channel=channel, settings=settings, revision=revision)
    state.set_channel(record)


async def test_who_may_not_read_a_channel_is_not_told_its_audience() -> None:
    state = closed_but_to("ben", "closed")
    service = bare_service(verifier=KNOWS_ANA, registry=state)
    transport = opened(service, ANA)
    how_many = {"op": "presence", "stream": "chat:closed"}
    assert ask(transport, {**how_many, "id": 1}, {**how_many, "id": 2, "stream": "chat:closed~1"}) == [
        (1, "forbidden"),
        (2, "forbidden"),
    ]
    say_who_reads(state, "closed", "ana", revision=2)
    assert ask(transport, {**how_many, "id": 3}) == [(3, "presence")]
    lose(transport)
    await service.close()


class _Empty:
    """Nothing was ever said."""

    async def read(self, stream: Stream, **_: Any) -> Page:
        return Page([], more=False, seqs=[])

    async def replies(self, stream: Stream, events: Any, spans: Any = None) -> dict[str, int]:
        return {}

    async def find(self, stream: Stream, event_id: str, lanes: int = 0) -> bytes | None:
        return None


async def test_events_and_pages_of_a_user_are_counted_over_all_connections() -> None:
    limits = Limits(events_at_once=3, events_per_s=0.001, reads_at_once=2, reads_per_s=0.001)
    service = bare_service(Settings(limits=limits), verifier=KNOWS_ANA, history=_Empty())
    one, other = opened(service, ANA), opened(service, ANA)
    post = {"op": "publish", "stream": "chat:a", "data": {"text": "hi"}}
    read = {"op": "history", "stream": "chat:a", "before": 5}

    async def asked(transport: Transport, number: int, request: dict[str, Any]) -> str:
        ask(transport, {**request, "id": number})
        await service.tasks.settled()
        replies = [
            json.loads(part[part.index(b"{") :]) for part in bytes(transport.written).split(b"\x81")[1:]
        ]
        return str(next(reply.get("code", reply["op"]) for reply in replies if reply["id"] == number))

    assert [await asked(on, 1, post) for on in (one, one, other)] == ["published"] * 3
    assert await asked(other, 2, post) == "rate_limited"
    assert [await asked(on, 3, read) for on in (one, other)] == ["history"] * 2
    assert await asked(one, 4, read) == "rate_limited"
    await service.close()


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"Host: localhost:18081\r\n", b"101"),
        (b"Host: rebound.example:18081\r\n", b"403"),
        (b"Host: localhost\r\nHost: evil.example\r\n", b"400"),
        (b"Host: localhost\r\nOrigin: null\r\n", b"403"),
        (b"Host: localhost\r\nOrigin: http://localhost:3000\r\n", b"403"),
        (b"Host: localhost\r\nOrigin: http://localhost:18080\r\n", b"101"),
        (b"Host: localhost\r\nOrigin: http://127.0.0.1:18080\r\n", b"101"),
        (b"Host: localhost\r\nOrigin: https://evil.example\r\n", b"403"),
    ],
)
async def test_on_loopback_other_pages_and_other_names_are_refused(head: bytes, status: bytes) -> None:
    service = bare_service()
    transport = opened(service, HANDSHAKE.replace(b"Host: localhost\r\n", head))
    assert bytes(transport.written)[9:12] == status
    lose(transport)
    await service.close()


async def test_a_query_that_names_a_stream_twice_watches_it_once() -> None:
    service = bare_service()
    source = opened(service, b"GET /v1/sse?stream=chat:a&stream=chat:a HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert source.written.count(b'"op":"subscribed"') == 1
    assert watching(service) == 1
    lose(source)
    assert not service.subscriptions.hub.audiences()
    await service.close()


async def test_a_query_may_name_as_many_streams_as_a_connection_may_watch() -> None:
    service = bare_service(Settings(edge=Edge(max_subscriptions=1)))
    source = opened(service, b"GET /v1/sse?stream=chat:a&stream=chat:b HTTP/1.1\r\nHost: localhost\r\n\r\n")
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
    handshake.data_received(b"GET /v1/sse?stream=chat:a HTTP/1.1\r\nHost: localhost\r\n\r\n")
    given_up_ms = transport.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
    assert given_up_ms == 2 * service.edge.heartbeat_ms <= 60_000
    lose(transport)
    transport.socket.close()
    await service.close()
