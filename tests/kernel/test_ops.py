"""The operator's port: live, ready or why not, and metrics."""

import socket

import aiohttp
import pytest

from embedded.ports import find_free
from kernel.errors import TouchlineError
from kernel.process.health import Health
from kernel.process.ops_port import OpsServer


async def test_a_role_is_ready_when_all_that_it_declared_holds_and_else_says_why() -> None:
    health, port = Health("kafka", "assignment"), find_free()
    server = OpsServer(health, "127.0.0.1", port)
    await server.start()
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:

            async def ready() -> tuple[int, dict[str, str]]:
                async with client.get("/readyz") as answer:
                    return answer.status, (await answer.json())["problems"]

            assert await ready() == (503, {"kafka": "not yet", "assignment": "not yet"})
            health.ok("kafka")
            health.ok("assignment")
            assert await ready() == (200, {})
            health.fail("kafka", "no broker answers")
            assert await ready() == (503, {"kafka": "no broker answers"})
            async with client.get("/healthz") as answer:
                assert answer.status == 200  # live all the time: only its surroundings fail
            async with client.get("/metrics") as answer:
                assert "touchline_consumer_lag" in await answer.text()
    finally:
        await server.stop()


async def test_a_port_that_is_taken_is_an_error_that_names_it() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        server = OpsServer(Health(), "127.0.0.1", port)
        with pytest.raises(TouchlineError, match=f"Cannot listen on 127.0.0.1:{port}") as caught:
            await server.start()
        await server.stop()
    assert caught.value.code == "port_taken"
