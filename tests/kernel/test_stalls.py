"""A loop that stands still is told, with for how long and where; one that only waits is not."""

import asyncio
import threading
import time
from collections.abc import Callable

from kernel.clock import SystemClock
from kernel.process.stalls import Stall, StallWatch
from tests.kernel.test_lifecycle import role
from tests.pipeline import eventually


def stand_still(seconds: float) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


async def watched(during: float, how: Callable[[float], None] | None) -> list[Stall]:
    told: list[Stall] = []
    heard = threading.Event()

    def report(stall: Stall) -> None:
        told.append(stall)
        if stall.seconds > 0.3:
            heard.set()

    watch = StallWatch(asyncio.get_running_loop(), SystemClock(), report)
    watch.start()
    await asyncio.sleep(0.1)
    if how is not None:
        how(during)
        await asyncio.sleep(0)
        await asyncio.to_thread(heard.wait, 60)
    else:
        await asyncio.sleep(during)
    watch.stop()
    await asyncio.to_thread(watch.join)
    return told


async def test_a_loop_that_stands_still_is_told_with_its_place() -> None:
    told = await watched(0.5, stand_still)
    assert any(one.seconds > 0.3 and "stand_still" in one.place for one in told), told
    assert max(one.worked_s for one in told) > 0.3, "it worked for as long"


async def test_a_loop_that_waits_does_not_stand() -> None:
    # A machine that is busy may keep it from running: of several tries one is quiet.
    for _ in range(8):
        if not (long := [one for one in await watched(0.5, None) if one.seconds > 0.25]):
            break
    assert long == []


async def test_a_loop_that_stands_and_does_not_work_is_told_apart() -> None:
    """Such as a disk that is slow, or another thread of which the machine has taken its processor."""
    # Other threads of this process may work meanwhile: of several tries the best.
    for _ in range(8):
        told = await watched(0.5, time.sleep)
        assert max(one.seconds for one in told) > 0.3
        if max(one.worked_s for one in told) < 0.2:
            break
    assert max(one.worked_s for one in told) < 0.2, told


def hold_the_interpreter(seconds: float) -> None:
    """In another thread, by a call that lets nobody else in."""
    thread = threading.Thread(target=lambda: stand_still_without_a_break(seconds))
    thread.start()
    thread.join()


def stand_still_without_a_break(seconds: float) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        sum(range(300_000))


async def test_work_of_another_thread_that_the_loop_waits_for_is_work() -> None:
    told = await watched(0.5, hold_the_interpreter)
    assert max(one.worked_s for one in told) > 0.3, told


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
        _, err = process.communicate(timeout=60)
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
