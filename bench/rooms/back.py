"""5,000 devices back at once, to 200 messages each that they have missed: a million events in all."""

import asyncio
import time
from collections.abc import Sequence

from bench.report.figures import sample
from bench.rooms.phones import Phone, close, connected, note_seq, synced
from bench.rooms.roles import Roles, deployment
from bench.rooms.traffic import arrived
from bench.rooms.world import Made, World

_ROOMS_EACH = 10
_MEMBERS = 20
_MISSED = 20


def rooms_for(devices: int) -> list[Made]:
    """Each user is in ten rooms of twenty: with other ones in each."""
    number = devices * _ROOMS_EACH // _MEMBERS
    members: list[list[str]] = [[] for _ in range(number)]
    for n in range(devices):
        for k in range(_ROOMS_EACH):
            members[(n + k * (n // number * 7 + 13 * k + 1)) % number].append(f"u{n}")
    return [Made(f"b{n}", list(dict.fromkeys(users))) for n, users in enumerate(members) if users]


async def come_back(roles: Roles, devices: int, wanted: int) -> tuple[float, int]:
    """All connect, and follow; in how many seconds they have all of it, and what came."""
    began = time.monotonic()
    phones: list[Phone] = await connected(
        roles.port("edge"), [f"u{n}" for n in range(devices)], "phone", note_seq
    )
    asked = asyncio.gather(*(phone.done("sync") for phone in phones))
    came = await arrived(phones, wanted, 100)
    took = time.monotonic() - began
    await asked
    close(phones)
    return took, came


async def run(devices: int) -> None:
    with deployment() as roles:
        world, rooms = World(roles.settings), rooms_for(devices)
        mine = world.make(rooms)
        roles.start("stream", "edge")
        first: Sequence[Phone] = await connected(
            roles.port("edge"), [f"u{n}" for n in range(devices)], "phone"
        )
        await synced(first)
        await asyncio.sleep(2)  # that they are known is sent on
        close(first)
        for _ in range(_MISSED):
            for one in rooms:
                world.post(one.room, one.members[0], "you were not there when this was said, " * 3)
        world.flush()
        wanted = sum(map(len, mine.values())) * _MISSED
        print(f"{len(rooms):,} rooms; {wanted:,} events are missed by {devices:,} devices", flush=True)
        await asyncio.sleep(10)
        for how in ("the edge was there", "the edge has just started"):
            if how != "the edge was there":
                roles.stop("edge")
                print(f"an edge starts in {roles.start('edge'):.1f} s", flush=True)
            took, came = await come_back(roles, devices, wanted)
            whole = "complete" if came >= wanted else f"{came:,} came"
            print(
                f"{how}: {took:.1f} s, {whole}; {came / took:,.0f}/s; the edge held"
                f" {roles.held('edge')[1]:.0f} MB at most",
                flush=True,
            )
            if came >= wanted:
                sample("rooms back", how, took)


def measure(devices: int = 5000) -> None:
    asyncio.run(run(devices))
