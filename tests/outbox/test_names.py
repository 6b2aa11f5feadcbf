"""Names of receivers that nobody answers for hold up nobody whose names are."""

import asyncio
import socket
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from kernel.access.outward import Outward
from kernel.clock import SystemClock
from kernel.settings.reading import Settings
from outbox.outlets.resolver import THREADS, CheckedResolver, NotAllowedError

PUBLIC = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34", 443))]
PRIVATE = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", 443))]


class Names:
    """A system's resolver: it gives up what nobody answers for only when it is told to."""

    def __init__(self) -> None:
        self.slow: set[str] = set()
        self.given_up = threading.Event()

    def look_up(self, host: str, *_: Any, **__: Any) -> Sequence[tuple[Any, ...]]:
        if host in self.slow and self.given_up.wait(120):
            raise socket.gaierror("nobody answers")
        return PRIVATE if host.endswith(".inside") else PUBLIC


async def test_who_has_a_name_server_that_never_answers_delays_no_name_that_was_answered_for() -> None:
    names = Names()
    resolver = CheckedResolver(Outward(Settings()), SystemClock(), names.look_up)
    try:
        assert [one["host"] for one in await resolver.resolve("good.example", 443)] == ["93.184.216.34"]
        tarpits = [f"foe-{number}.example" for number in range(4 * THREADS)]
        names.slow.update(tarpits)
        waiting = [asyncio.create_task(resolver.resolve(name, 443)) for name in tarpits]
        await asyncio.sleep(0)
        async with asyncio.timeout(60):
            for _ in range(3):
                assert await resolver.resolve("good.example", 443)
            assert await asyncio.to_thread(lambda: True), "the outbox's other threads are not theirs"
        names.given_up.set()
        done = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(one, OSError) for one in done)
    finally:
        names.given_up.set()
        await resolver.close()


async def test_a_name_that_leads_inside_is_none() -> None:
    resolver = CheckedResolver(Outward(Settings()), SystemClock(), Names().look_up)
    with pytest.raises(NotAllowedError):
        await resolver.resolve("db.inside", 443)
    await resolver.close()
