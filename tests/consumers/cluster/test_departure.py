"""docs/protocol.md §7.1: an edge that leaves sends everybody elsewhere, each at a time of their own."""

import asyncio
import itertools

import pytest

from bench.rig.edge_alone import bare_service
from consumers.cluster.departure import depart
from consumers.service.service import Service
from consumers.transport.handshake import Handshake
from consumers.transport.routes import plain_routes
from kernel.process.health import Health
from tests.consumers.heard import answer, close_code, events, messages, status
from tests.consumers.hurry import in_no_time
from tests.consumers.protocol.test_one_frame import lose, opened
from tests.security.wire import HANDSHAKE, Transport

SSE = b"GET /v1/sse?stream=chat:a HTTP/1.1\r\nHost: localhost\r\n\r\n"
POLL = b"GET /v1/poll?stream=chat:a&wait=25 HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def leaving(service: Service, health: Health, seconds: float) -> asyncio.Task[None]:
    """A departure that has told everybody."""
    task = asyncio.create_task(depart(service.admission, health, seconds=seconds))
    await asyncio.sleep(0)
    return task


def test_each_viewer_is_told_a_time_of_his_own_and_all_have_a_third_of_the_time_to_arrive() -> None:
    async def run() -> None:
        service = bare_service()
        viewers = [opened(service, HANDSHAKE) for _ in range(40)]
        departure = await leaving(service, Health(), 20)
        told = [messages(viewer, "drain") for viewer in viewers]
        assert [len(each) for each in told] == [1] * 40
        assert {each["deadline_ms"] for (each,) in told} == {20_000}
        times = sorted(each["reconnect_in_ms"] for (each,) in told)
        # No two at once, no rush at any moment, and nobody so late that they are closed on their way.
        assert all(200 <= later - sooner <= 1000 for sooner, later in itertools.pairwise(times))
        assert times[0] >= 0
        assert 10_000 <= times[-1] <= 20_000 * 0.75
        for viewer in viewers:
            lose(viewer)
        await departure
        await service.close()

    in_no_time(run())


def test_an_edge_is_gone_as_soon_as_its_last_viewer_is() -> None:
    async def run() -> None:
        service, loop = bare_service(), asyncio.get_running_loop()
        viewers = [opened(service, HANDSHAKE), opened(service, SSE)]
        departure = await leaving(service, Health(), 20)
        loop.call_later(3, lose, viewers[0])
        loop.call_later(5, lose, viewers[1])
        await departure
        assert 4.9 <= loop.time() < 6
        await depart(service.admission, Health(), seconds=20)
        assert loop.time() < 6, "where nobody is, nobody is waited for"
        await service.close()

    in_no_time(run())


def test_who_stays_past_the_deadline_is_closed_with_4201_and_nobody_before() -> None:
    async def run() -> None:
        service, loop = bare_service(), asyncio.get_running_loop()
        viewer, source = opened(service, HANDSHAKE), opened(service, SSE)
        departure = await leaving(service, Health(), 20)
        still_here: list[object] = []
        loop.call_at(19.8, lambda: still_here.extend([close_code(viewer), source.closed]))
        await departure
        assert still_here == [None, False]
        assert 19.9 <= loop.time() < 20.5
        assert close_code(viewer) == 4201
        assert [event["code"] for event in events(source, "close")] == [4201]
        assert source.closed
        await service.close()

    in_no_time(run())


@pytest.mark.parametrize("head", [HANDSHAKE, SSE, POLL], ids=["WebSocket", "SSE", "poll"])
def test_an_edge_that_leaves_takes_no_new_viewer(head: bytes) -> None:
    async def run() -> None:
        service = bare_service()
        present = opened(service, HANDSHAKE)
        departure = await leaving(service, Health(), 20)
        late = opened(service, head)
        assert status(late) == 503
        assert late.closed
        assert len(service.admission.viewers()) == 1
        assert not present.closed
        for viewer in (late, present):
            lose(viewer)
        await departure
        await service.close()

    in_no_time(run())


def test_an_edge_that_leaves_is_not_ready_and_says_why() -> None:
    """A balancer sends nobody to it from then on."""

    def ready() -> Transport:
        handshake, transport = (
            Handshake(service, plain_routes(service.admission.tokens, health, lambda: None), secure=False),
            Transport(),
        )
        handshake.connection_made(transport)
        handshake.data_received(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        return transport

    async def run() -> None:
        assert status(ready()) == 200
        await depart(service.admission, health, seconds=20)
        assert status(ready()) == 503
        assert answer(ready())["problems"] == {"drain": "this edge is leaving"}
        await service.close()

    service, health = bare_service(), Health()
    in_no_time(run())


def test_who_came_by_server_sent_events_is_told_like_the_others() -> None:
    async def run() -> None:
        service = bare_service()
        sources = [opened(service, SSE) for _ in range(2)]
        departure = await leaving(service, Health(), 20)
        told = [[event for event in events(source) if event["op"] == "drain"] for source in sources]
        assert [each["deadline_ms"] for (each,) in told] == [20_000, 20_000]
        assert len({each["reconnect_in_ms"] for (each,) in told}) == 2
        for source in sources:
            lose(source)
        await departure
        await service.close()

    in_no_time(run())


def test_a_poll_is_answered_with_the_drain_instead_of_waiting_on() -> None:
    async def run() -> None:
        service, loop = bare_service(), asyncio.get_running_loop()
        poll = opened(service, POLL)
        departure = await leaving(service, Health(), 20)
        answered: list[bool] = []
        loop.call_at(0.5, lambda: answered.append(poll.closed))
        loop.call_at(0.6, lose, poll)
        await departure
        assert answered == [True]
        said = answer(poll)
        assert said["events"] == []
        (message,) = said["messages"]
        assert (message["op"], message["deadline_ms"]) == ("drain", 20_000)
        await service.close()

    in_no_time(run())
