"""docs/protocol.md §5.4: while history cannot be read that is said, and nothing is called a gap."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from bench.rig.edge_alone import bare_service
from consumers.delivery.hub import Raw
from consumers.service.service import Service
from history.feed import FeedPage
from history.visible import ReadPage
from kernel.errors import TouchlineError
from kernel.log.positions import Kind, Stream
from schemas.codec import Codec
from tests.consumers.heard import close_code, events, messages
from tests.consumers.protocol.test_one_frame import ask, lose, opened, subscribe, watching
from tests.security.wire import HANDSHAKE, Transport

RING = 2048
SSE = b"GET /v1/sse?stream=chat:a HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Away:
    """History whose servers do not answer."""

    async def read(self, stream: Stream, **_: Any) -> ReadPage:
        raise TouchlineError("unavailable", f"The log does not answer: {stream} cannot be read.")

    async def replies(self, stream: Stream, events: Any, spans: Any = None) -> dict[str, int]:
        return {}

    async def feed(self, followed: object, **_: object) -> FeedPage:
        raise TouchlineError("unavailable", "Nothing can be read.")

    async def find(self, stream: Stream, event_id: str, lanes: int = 0) -> bytes | None:
        raise AssertionError(stream, event_id)


class Here:
    """Every partition is served here; whether it was read from its first record on is for the test to say."""

    def __init__(self, *, whole: bool) -> None:
        self._whole = whole

    def serves(self, kind: Kind, key: str) -> bool:
        return True

    def whole(self, kind: Kind, key: str) -> bool:
        return self._whole

    def elsewhere(self, key: str) -> str | None:
        return None


def edge(*, whole: bool) -> Service:
    return bare_service(history=Away(), partitions=Here(whole=whole))


def happen(service: Service, first: int, count: int) -> None:
    """So many events of chat:a."""
    codec = Codec("fanout")
    for seq in range(first, first + count):
        body = json.dumps({"stream": "chat:a", "seq": seq}).encode()
        value = codec.encode({"stream": "chat:a", "seq": seq, "server_ts": 0, "body": body})
        service.subscriptions.hub.take("live", [Raw(0, b"a#1#0", value)])


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - of the same loop, and soon
            await asyncio.sleep(0)


async def test_a_subscription_that_needs_it_is_refused_and_may_be_asked_for_again() -> None:
    service = edge(whole=False)
    viewer = opened(service, HANDSHAKE)
    for number in (1, 2):
        ask(viewer, {**subscribe(number, "chat:a"), "after": 5})
        await until(lambda: messages(viewer, "error"))
        (error,) = messages(viewer, "error")
        assert (error["id"], error["code"], error["retry"]) == (number, "unavailable", True)
        assert not messages(viewer, "gap")
        assert watching(service) == 0
    lose(viewer)
    await service.close()


@pytest.mark.parametrize("head", [HANDSHAKE, SSE], ids=["WebSocket", "SSE"])
async def test_who_has_fallen_behind_the_ring_is_closed_with_4104_and_comes_back_with_cursors(
    head: bytes,
) -> None:
    service = edge(whole=True)
    slow, fast = opened(service, head), opened(service, HANDSHAKE)
    for viewer in (slow, fast):
        if viewer is fast or head is HANDSHAKE:
            assert ask(viewer, subscribe(1, "chat:a")) == [(1, "subscribed")]
    happen(service, 1, 3)
    assert slow.protocol is not None
    slow.protocol.pause_writing()
    happen(service, 4, RING + 10)
    slow.protocol.resume_writing()
    await until(lambda: slow.closed)
    assert code(slow, head) == 4104
    assert (close_code(fast), watching(service)) == (None, 2), (
        "the slow one is there until the socket is closed"
    )
    for viewer in (slow, fast):
        lose(viewer)
    await service.close()


def code(viewer: Transport, head: bytes) -> int | None:
    return close_code(viewer) if head is HANDSHAKE else events(viewer, "close")[0]["code"]
