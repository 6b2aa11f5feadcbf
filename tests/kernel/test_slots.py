"""So much is under way for a user and in all; a user's own wait for one another, and not for others."""

import asyncio

import pytest

from kernel.errors import TouchlineError
from kernel.fairness.concurrency import Slots
from tests.consumers.hurry import in_no_time


class Held:
    def __init__(self, slots: Slots, user: str | None) -> None:
        self.inside, self.leave = asyncio.Event(), asyncio.Event()
        self.task = asyncio.get_running_loop().create_task(self._hold(slots, user))

    async def _hold(self, slots: Slots, user: str | None) -> None:
        async with slots.slot(user):
            self.inside.set()
            await self.leave.wait()


async def turn() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_users_own_wait_and_others_do_not() -> None:
    slots = Slots("pages", each=2, in_all=10)
    one, two, three = (Held(slots, "ana") for _ in range(3))
    other, nobody = Held(slots, "ben"), Held(slots, None)
    await turn()
    assert [held.inside.is_set() for held in (one, two, three, other, nobody)] == [
        True,
        True,
        False,
        True,
        True,
    ]
    one.leave.set()
    await turn()
    assert three.inside.is_set()
    for held in (two, three, other, nobody):
        held.leave.set()
    await asyncio.gather(*(held.task for held in (one, two, three, other, nobody)))
    assert not slots.users


def test_who_waits_too_long_is_refused_and_nothing_is_kept() -> None:
    async def run() -> None:
        slots = Slots("pages", each=1, in_all=2)
        one, other = Held(slots, "ana"), Held(slots, "ben")
        await turn()
        for user, code in (("ana", "rate_limited"), ("cleo", "unavailable"), (None, "unavailable")):
            with pytest.raises(TouchlineError) as refused:
                async with slots.slot(user):
                    pass
            assert refused.value.code == code
        one.leave.set()
        await one.task
        async with slots.slot("cleo"):
            pass
        other.leave.set()
        await other.task

    in_no_time(run())
