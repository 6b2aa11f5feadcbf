"""docs/protocol.md §2.4: a viewer from whom nothing comes any more is gone after two heartbeats."""

import asyncio
import contextlib
import gc
import re
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import psutil
import pytest

from bench.rig.edge_alone import bare_service
from chaos.faults.proxy import Proxies
from consumers.delivery.subscription import Subscription
from consumers.protocol.session import Member
from consumers.transport.connection import ViewerConnection
from embedded.ports import find_free
from kernel.clock import ManualClock
from tests.certificates import self_signed
from tests.consumers.bare import Bare, bare
from tests.consumers.edges import EdgeProcess, edges
from tests.consumers.heard import close_code
from tests.consumers.protocol.test_one_frame import ask, lose, opened, subscribe, watching
from tests.pipeline import eventually
from tests.security.wire import HANDSHAKE

#: Two of them are longer than a busy machine stands still: who is there is not taken for gone.
HEARTBEAT_MS = 4000
SWALLOWED = 8
#: Two heartbeats, a look each second, and five seconds for the farewell of TLS: with the heartbeat of the
#: settings, 25 s, that is less than a minute. The rest is for a busy machine.
GONE_WITHIN_S = 2 * HEARTBEAT_MS / 1000 + 1 + 5 + 30


def viewers(edge: EdgeProcess, context: ssl.SSLContext | None) -> int:
    with urlopen(f"{edge.http}/metrics", context=context) as answer:
        found = re.search(r"^touchline_viewers (\d+)", answer.read().decode(), re.MULTILINE)
    assert found is not None
    return int(found[1])


def sockets(edge: EdgeProcess) -> int:
    """Those that somebody has opened to the edge."""
    every = psutil.Process(edge.process.pid).net_connections("tcp")
    return sum(one.laddr.port == edge.port and one.status != psutil.CONN_LISTEN for one in every)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
async def test_viewers_whose_bytes_vanish_both_ways_are_gone_with_their_sockets_and_the_count(
    kafka_servers: str, tmp_path: Path, tls: bool
) -> None:
    given: dict[str, Any] = {"heartbeat_ms": HEARTBEAT_MS}
    context = None
    if tls:
        given["tls_cert"], given["tls_key"] = self_signed(tmp_path, "edge")
        context = ssl.create_default_context(cafile=str(given["tls_cert"]))
    proxies, port = Proxies(), find_free()
    try:
        with edges(kafka_servers, tmp_path, **given) as (fanout, (edge,)):
            proxies.say(link="lift", listen=port, to=edge.port)

            @contextlib.asynccontextmanager
            async def watcher(at: int, stream: str) -> AsyncIterator[Bare]:
                url = f"{'wss' if tls else 'ws'}://127.0.0.1:{at}/v1/ws"
                async with bare(url, ssl=context, ping_interval=None, close_timeout=0) as (client, _):
                    await client.say(op="subscribe", id=1, stream=stream)
                    await client.hear("subscribed")
                    yield client

            async with watcher(edge.port, "chat:busy") as present, contextlib.AsyncExitStack() as stack:
                swallowed = [  # half of them are written to all the time
                    await stack.enter_async_context(watcher(port, ("chat:busy", "chat:idle")[number % 2]))
                    for number in range(SWALLOWED)
                ]
                assert await asyncio.to_thread(viewers, edge, context) == SWALLOWED + 1
                heard_of = time.monotonic()
                for client in swallowed:
                    await client.say(op="ping", id=9)
                    await client.hear("pong")
                proxies.say(link="lift", mode="half_open")
                began = time.monotonic()
                while await asyncio.to_thread(viewers, edge, context) > 1:
                    assert time.monotonic() - began < GONE_WITHIN_S
                    await asyncio.to_thread(fanout.write, "chat:busy", 1)
                    while (await present.any())["op"] != "event":
                        pass  # who is there still gets everything, and is not taken for dead
                assert time.monotonic() - heard_of >= 2 * HEARTBEAT_MS / 1000 - 1
                await asyncio.to_thread(eventually, "one socket is left", lambda: sockets(edge) == 1)
                async with asyncio.timeout(60):
                    said: dict[str, Any] = {}
                    while said.get("viewers") != 1:
                        await present.say(op="presence", id=7, stream="chat:busy")
                        while (said := await present.any()).get("id") != 7:
                            pass
                        await asyncio.sleep(0.1)
    finally:
        proxies.close()


async def test_nothing_of_a_viewer_who_was_given_up_stays_in_memory() -> None:
    def held() -> int:
        gc.collect()
        return sum(isinstance(each, ViewerConnection | Member | Subscription) for each in gc.get_objects())

    before, clock = held(), ManualClock()
    service = bare_service(clock=clock)
    transport = opened(service, HANDSHAKE)
    ask(transport, subscribe(1, "chat:a"))
    assert held() == before + 3
    for _ in range(2):
        assert close_code(transport) is None
        clock.advance(25)
        for connection in service.admission.connections():
            connection.tick(clock.monotonic(), clock.now_ms() / 1000)
    del connection
    assert close_code(transport) == 4101
    lose(transport)
    assert watching(service) == 0
    assert not service.admission.users
    assert not service.admission.connections()
    transport.protocol = None
    assert held() == before
    await service.close()
