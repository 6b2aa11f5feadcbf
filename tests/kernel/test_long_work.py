"""Long works on one loop let others by, and each other."""

import asyncio

import pytest

from kernel.clock import ManualClock
from kernel.fairness.long_work import LongWork


class Work:
    """Steps that take a millisecond each."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock, self.steps, self.begun = clock, 0, asyncio.Event()

    async def run(self, steps: int) -> None:
        work = LongWork(self._clock)
        for _ in range(steps):
            self._clock.advance(0.001)
            self.steps += 1
            self.begun.set()
            await work.let_by()


async def test_between_two_rounds_of_the_loop_one_of_them_has_a_turn_however_many_there_are() -> None:
    clock = ManualClock()
    works = [Work(clock) for _ in range(20)]
    tasks = [asyncio.create_task(work.run(50)) for work in works]
    await asyncio.gather(*(work.begun.wait() for work in works))
    while not all(task.done() for task in tasks):
        before = clock.monotonic()
        await asyncio.sleep(0)
        assert clock.monotonic() - before < 0.0061
    assert [work.steps for work in works] == [50] * 20


async def test_all_get_on_at_the_same_pace() -> None:
    clock = ManualClock()
    works = [Work(clock) for _ in range(5)]
    tasks = [asyncio.create_task(work.run(100)) for work in works]
    while not tasks[0].done():
        await asyncio.sleep(0)
        steps = [work.steps for work in works]
        assert max(steps) - min(steps) <= 6
    await asyncio.gather(*tasks)


async def test_who_gives_up_while_waiting_holds_up_nobody() -> None:
    clock = ManualClock()
    works = [Work(clock) for _ in range(3)]
    tasks = [asyncio.create_task(work.run(50)) for work in works]
    await works[1].begun.wait()
    tasks[1].cancel()
    await asyncio.gather(tasks[0], tasks[2])
    assert works[0].steps == works[2].steps == 50
    with pytest.raises(asyncio.CancelledError):
        await tasks[1]
