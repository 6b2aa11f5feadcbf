"""A loop that stands still is told, with for how long and where; one that only waits is not."""

import asyncio
import threading
import time

from kernel.clock import SystemClock
from kernel.process.stalls import StallWatch
from tests.kernel.test_lifecycle import role
from tests.pipeline import eventually


def stand_still(seconds: float) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


async def watched(during: float, *, blocking: bool) -> list[tuple[float, str]]:
    told: list[tuple[float, str]] = []
    heard = threading.Event()

    def report(seconds: float, place: str) -> None:
        told.append((seconds, place))
        if seconds > 0.3:
            heard.set()

    watch = StallWatch(asyncio.get_running_loop(), SystemClock(), report)
    watch.start()
    await asyncio.sleep(0.1)
    if blocking:
        stand_still(during)
        await asyncio.sleep(0)
        await asyncio.to_thread(heard.wait, 10)
    else:
        await asyncio.sleep(during)
    watch.stop()
    await asyncio.to_thread(watch.join)
    return told


async def test_a_loop_that_stands_still_is_told_with_its_place() -> None:
    told = await watched(0.5, blocking=True)
    assert any(seconds > 0.3 and "stand_still" in place for seconds, place in told), told


async def test_a_loop_that_waits_does_not_stand() -> None:
    assert [told for told in await watched(0.5, blocking=False) if told[0] > 0.25] == []


def test_a_role_counts_its_stalls_and_says_where() -> None:
    body = """
    import time
    from prometheus_client import generate_latest
    await asyncio.sleep(0.1)
    time.sleep(0.4)
    while b"touchline_loop_stall_seconds_count 0.0" in generate_latest():
        await asyncio.sleep(0.02)
    """
    with role(body) as process:
        _, err = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "the loop stood still" in err
    assert "<string>" in err


def test_the_watch_ends_with_the_loop() -> None:
    async def made() -> StallWatch:
        watch = StallWatch(asyncio.get_running_loop(), SystemClock())
        watch.start()
        return watch

    watch = asyncio.run(made())  # nobody has stopped it
    eventually("the thread has ended", lambda: not watch.is_alive())
