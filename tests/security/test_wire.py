"""Whatever bytes come to an edge's port, nothing breaks: an answer, a close, or patience for the rest."""

import asyncio
import json
import struct

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bench.rig.edge_alone import bare_service
from consumers.protocol.session import Guest
from consumers.transport.connection import ViewerConnection
from consumers.transport.handshake import Handshake
from kernel.access.tokens import everything
from kernel.clock import ManualClock
from kernel.errors import TouchlineError
from kernel.process.metrics import CLOSED
from kernel.settings.reading import Edge, Settings
from tests.security.wire import HANDSHAKE, Transport, come


def frame(payload: bytes, *, opcode: int = 1, fin: bool = True, masked: bool = True, bits: int = 0) -> bytes:
    """A WebSocket frame as a client sends it, or as it should not."""
    head = bytes([(0x80 if fin else 0) | bits << 4 | opcode])
    flag, size = (0x80 if masked else 0), len(payload)
    if size < 126:
        head += bytes([flag | size])
    elif size < 65536:
        head += bytes([flag | 126]) + struct.pack("!H", size)
    else:
        head += bytes([flag | 127]) + struct.pack("!Q", size)
    return head + (b"\0\0\0\0" if masked else b"") + payload


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
MESSAGE = st.fixed_dictionaries(
    {"op": st.sampled_from(["subscribe", "publish", "history", "ack", "presence", "auth", "ping", "x"])},
    optional={
        "id": JSON,
        "stream": st.sampled_from(["chat:a", "location:b", "", "chat:"]) | JSON,
        "after": JSON,
        "last": JSON,
        "seq": JSON,
        "data": JSON,
        "token": JSON,
        "cursors": JSON,
        "limit": JSON,
    },
)
TEXT = st.lists(MESSAGE, min_size=1, max_size=3).map(lambda ms: "\n".join(map(json.dumps, ms)).encode())
FRAME = st.builds(
    frame,
    TEXT | st.binary(max_size=300),
    opcode=st.sampled_from([0, 1, 1, 1, 2, 3, 8, 9, 10, 11]),
    fin=st.booleans(),
    masked=st.sampled_from([True, True, True, False]),
    bits=st.sampled_from([0, 0, 0, 4, 7]),
)
HEAD = st.sampled_from(
    [
        HANDSHAKE,
        HANDSHAKE.replace(b"13", b"12"),
        HANDSHAKE.replace(b"/v1/ws", b"/v1/ws?token=%ff&device=" + b"d" * 300),
        b"GET /v1/sse?stream=chat:a&after=x HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /v1/ws HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello",
        b"GET / HTTP/1.1\r\nX: " + b"y" * 20_000,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ]
)


@settings(max_examples=200, deadline=None)
@given(head=HEAD | st.binary(max_size=200), frames=st.lists(FRAME | st.binary(max_size=60), max_size=6),
       cuts=st.lists(st.integers(0, 5000), max_size=6))  # fmt: skip
@example(head=HANDSHAKE, frames=[frame(b"\xff\xfe")], cuts=[])
@example(head=HANDSHAKE, frames=[frame(b'{"op":"ping"}', bits=4)], cuts=[])
@example(head=HANDSHAKE, frames=[frame(b"x" * 126, opcode=9)], cuts=[])
@example(head=HANDSHAKE, frames=[frame(b"a", fin=False), frame(b"b")], cuts=[])
@example(head=HANDSHAKE, frames=[b"\x81\xff" + b"\xff" * 8], cuts=[])
@example(head=HANDSHAKE, frames=[frame(b"[" * 60_000)], cuts=[])
def test_any_bytes_are_answered_or_refused_and_leave_nothing_behind(
    head: bytes, frames: list[bytes], cuts: list[int]
) -> None:
    async def run() -> None:
        service = bare_service()
        come(service, head + b"".join(frames), cuts)
        assert not service.admission.connections()
        assert not service.subscriptions.hub.audiences()
        assert not service.admission.users
        await service.close()

    asyncio.run(run())


async def test_a_frame_that_announces_more_than_the_limit_ends_the_connection_at_once() -> None:
    service = bare_service()
    transport = come(service, HANDSHAKE + b"\x81\xff" + struct.pack("!Q", 1 << 40), [])
    assert transport.closed
    assert len(transport.written) < 1000
    await service.close()


@pytest.mark.parametrize(
    ("head", "says"),
    [
        (b"POST /v1/drain HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}", "reads no bodies"),
        (b"GET /v1/drain\r\n\r\n", "cannot be read"),
    ],
)
async def test_what_is_not_read_is_answered_before_the_connection_ends(head: bytes, says: str) -> None:
    service = bare_service()
    transport = come(service, head, [])
    assert transport.written.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert says.encode() in transport.written
    assert transport.closed
    await service.close()


async def test_whatever_codes_clients_close_with_the_metric_has_few() -> None:
    service = bare_service()
    for code in (*range(1000, 5000, 7), 4001, 1000):
        come(service, HANDSHAKE + frame(struct.pack("!H", code), opcode=8), [])
    [metric] = CLOSED.collect()
    labels = {sample.labels["code"] for sample in metric.samples}
    assert {"other", "1000"} <= labels
    assert len(labels) < 30
    await service.close()


async def test_a_good_conversation_is_one_through_the_same_door() -> None:
    """Else the fuzzing might never get past the handshake."""
    service = bare_service()
    handshake = Handshake(service, {}, secure=False)
    transport = Transport()
    transport.protocol = handshake
    handshake.connection_made(transport)
    handshake.data_received(HANDSHAKE)
    viewer: asyncio.Protocol = transport.protocol
    assert type(viewer) is ViewerConnection
    viewer.data_received(frame(b'{"op":"ping","id":7}'))
    assert b'{"op":"pong","id":7}' in transport.written
    await service.close()


async def test_compression_is_not_negotiated_so_that_there_are_no_bombs() -> None:
    service = bare_service()
    offer = b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"
    transport = come(service, HANDSHAKE[:-2] + offer, [])
    assert transport.written.startswith(b"HTTP/1.1 101")
    assert b"permessage-deflate" not in transport.written
    await service.close()


async def test_a_request_that_trickles_in_is_cut_off_in_time() -> None:
    clock = ManualClock()
    service = bare_service(clock=clock)
    handshake, transport = Handshake(service, {}, secure=False), Transport()
    handshake.connection_made(transport)
    for byte in HANDSHAKE[:9]:
        handshake.data_received(bytes([byte]))
        clock.advance(1)
        handshake.tick(clock.monotonic(), 0)
    assert not transport.closed
    clock.advance(1)
    handshake.tick(clock.monotonic(), 0)
    assert transport.closed


@pytest.mark.parametrize(
    "edge", [Edge(max_connections=3), Edge(max_connections_per_address=3)], ids=["in all", "by address"]
)
async def test_connections_are_limited(edge: Edge) -> None:
    service, let_in = bare_service(Settings(edge=edge)), 3
    transports = []
    for _ in range(let_in + 2):
        handshake, transport = Handshake(service, {}, secure=False), Transport()
        transport.protocol = handshake
        handshake.connection_made(transport)
        handshake.data_received(HANDSHAKE)
        transports.append(transport)
    assert [transport.closed for transport in transports] == [False] * let_in + [True, True]
    assert transports[0].protocol is not None
    transports[0].protocol.connection_lost(None)
    for gone in transports[let_in:]:
        assert gone.protocol is not None
        gone.protocol.connection_lost(None)
    again = come(service, HANDSHAKE, [])
    assert not again.closed
    await service.close()


async def test_connections_of_a_user_are_limited() -> None:
    service = bare_service(Settings(edge=Edge(max_connections_per_user=2)))
    guests = [service.admission.arrive(str(number), None) for number in range(3)]
    assert len(guests) == 3, "guests are not one user"
    ana = everything("ana")
    for _ in range(2):
        service.admission.admit(Guest(service.admission.rules, 0), ana)
    with pytest.raises(TouchlineError) as refused:
        service.admission.admit(Guest(service.admission.rules, 0), ana)
    assert refused.value.code == "limit_reached"
    await service.close()


async def test_frames_that_come_with_the_handshake_are_not_lost() -> None:
    service = bare_service()
    transport = come(service, HANDSHAKE + frame(b'{"op":"ping","id":8}'), [])
    assert b'{"op":"pong","id":8}' in transport.written
    await service.close()


@pytest.mark.parametrize(
    "head",
    [
        HANDSHAKE[:-2] + b"Origin: http://a\r\nOrigin: http://b\r\n\r\n",
        HANDSHAKE[:-2] + b"Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n",
        b"GET /v1/sse?stream=chat:a HTTP/1.1\r\nHost: [::1]\r\nLast-Event-ID: 1\r\nLast-Event-ID: 2\r\n\r\n",
        b"GET //[ HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ],
    ids=["two origins", "two tokens", "two cursors", "an address that is none"],
)
async def test_what_cannot_be_understood_in_one_way_is_refused(head: bytes) -> None:
    service = bare_service()
    transport = come(service, head, [])
    assert transport.written.startswith(b"HTTP/1.1 400 ")
    assert transport.closed
    await service.close()
