"""A million rooms of ten on the log: how an edge starts with them, what it holds, what a look-up costs."""

import asyncio
import random
import shutil
import time
from collections.abc import Iterator

from bench.report.figures import quantile, sample
from bench.rooms.phones import connected
from bench.rooms.roles import Roles, deployment
from bench.rooms.world import Made, World

_MEMBERS = 10
_ASKED = 500
#: Rooms that are written between two flushes: their users are held in memory meanwhile.
_A_LOT = 100_000


def lot(first: int, number: int) -> Iterator[Made]:
    """Rooms whose members have all of their ten rooms in this lot."""
    rng = random.Random(first)
    users = [f"p{first + n}" for n in range(number)]
    shuffled = users * _MEMBERS
    rng.shuffle(shuffled)
    for n in range(number):
        yield Made(f"m{first + n}", list(dict.fromkeys(shuffled[n * _MEMBERS : (n + 1) * _MEMBERS])))


async def subscribe(roles: Roles, rooms: int) -> None:
    """Members subscribe to rooms that nobody has asked for before: until the edge has said yes, or no."""
    rng, took = random.Random(4), []
    for one in rng.sample(list(lot(0, min(_A_LOT, rooms))), _ASKED):
        phones = await connected(roles.port("edge"), [one.members[0], "stranger"], "phone")
        for phone in phones:
            began = time.perf_counter()
            reply = await phone.ask("subscribe", stream=f"chat:room-{one.room}")
            took.append((time.perf_counter() - began) * 1000)
            assert reply["op"] == ("error" if phone.user == "stranger" else "subscribed"), reply
            phone.close()
    print(
        f"{len(took):,} subscriptions: p50 {quantile(took, 0.5):.2f} ms, p99 {quantile(took, 0.99):.2f} ms",
        flush=True,
    )
    sample("rooms subscribe p99", "touchline", quantile(took, 0.99))


async def run(rooms: int) -> None:
    with deployment() as roles:
        world = World(roles.settings)
        roles.start("edge")
        roles.stop()
        bare_s = roles.start("edge")
        bare_mb, _ = roles.held("edge")
        roles.stop()
        print(f"an edge without rooms: {bare_s:.1f} s, {bare_mb:.0f} MB", flush=True)
        began = time.monotonic()
        for first in range(0, rooms, _A_LOT):
            some = list(lot(first, min(_A_LOT, rooms - first)))
            world.make(some)
            world.tallies(some, 2)
        print(f"{rooms:,} rooms written in {time.monotonic() - began:.0f} s", flush=True)
        shutil.rmtree(roles.settings.state.dir, ignore_errors=True)
        for how in ("first start", "its file there"):
            seconds = roles.start("edge")
            held, peak = roles.held("edge")
            cpu = roles.spent()["edge"]
            print(
                f"{how}: {seconds:.1f} s ({cpu:.1f} s of CPU), {held:.0f} MB, {peak:.0f} at most", flush=True
            )
            sample("rooms start", how, seconds)
            sample("rooms held", how, held)
            if how == "first start":
                roles.stop()
        await subscribe(roles, rooms)


def measure(rooms: int = 1_000_000) -> None:
    asyncio.run(run(rooms))
