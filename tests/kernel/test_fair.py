"""FairSemaphore that are shared: who has fewest gets the next one, and nobody has all."""

import asyncio
from contextvars import copy_context

from kernel.fairness.fair import WHOSE, FairSemaphore


def asking(places: FairSemaphore, who: str) -> "asyncio.Task[str]":
    """Somebody who wants a place."""
    context = copy_context()
    context.run(WHOSE.set, who)
    return asyncio.get_running_loop().create_task(places.take(), context=context)


async def turns(number: int = 3) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


async def test_the_last_place_is_for_those_who_have_none() -> None:
    places = FairSemaphore(3)
    ana = [asking(places, "ana") for _ in range(5)]
    await turns()
    assert sum(task.done() for task in ana) == 2
    ben = asking(places, "ben")
    await turns()
    assert ben.done(), "though they came last"
    places.give_back(await ben)
    await turns()
    assert sum(task.done() for task in ana) == 2
    for _ in range(2):
        places.give_back("ana")
    await turns()
    assert sum(task.done() for task in ana) == 4
    for task in ana:
        task.cancel()


async def test_who_has_fewest_is_next() -> None:
    places = FairSemaphore(2)
    ana, ben = asking(places, "ana"), asking(places, "ben")
    await turns()
    waiting = [asking(places, who) for who in ("ana", "ana", "cleo")]
    await turns()
    assert not any(task.done() for task in waiting)
    places.give_back(await ben)
    await turns()
    assert [task.done() for task in waiting] == [False, False, True]
    places.give_back(await ana)
    await turns()
    assert waiting[0].done()
    assert not waiting[1].done()
    waiting[1].cancel()


async def test_who_is_gone_takes_no_place_along() -> None:
    places = FairSemaphore(1)
    ana = asking(places, "ana")
    await turns()
    ben, cleo = asking(places, "ben"), asking(places, "cleo")
    await turns()
    ben.cancel()
    await turns()
    places.give_back(await ana)
    await turns()
    assert cleo.done()
    # Handed over and cancelled in the same turn.
    dora = asking(places, "dora")
    await turns()
    places.give_back(await cleo)
    dora.cancel()
    await turns()
    eve = asking(places, "eve")
    await turns()
    assert eve.done()
