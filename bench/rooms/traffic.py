"""10,000 rooms with 200,000 memberships, 2,000 messages a second in them, and 5,000 people on line."""

import asyncio
import itertools
import random
import time
from collections.abc import Sequence

from bench.report.figures import quantile, sample
from bench.rooms.phones import Phone, connected, note_seq, synced
from bench.rooms.roles import deployment
from bench.rooms.world import Made, World, town

_STEP_S = 0.005
_ACK_EVERY_S = 1.0


class Clocked:
    """How long messages take: each says when it was posted."""

    def __init__(self) -> None:
        self.took: list[float] = []

    def line(self, phone: Phone, line: bytes) -> None:
        if line.startswith(b'{"op":"event"'):
            note_seq(phone, line)
            at = line.find(b'"text":"t') + 9
            if at > 8:
                self.took.append((time.time_ns() - int(line[at : line.find(b" ", at)])) / 1e6)


async def say(
    world: World, rooms: Sequence[Made], rate: float, seconds: float, online: dict[str, int]
) -> int:
    """Messages at a steady rate; how many copies of them are on their way to people who are there."""
    rng, loop = random.Random(2), asyncio.get_running_loop()
    began, posted, copies = loop.time(), 0, 0
    while (passed := loop.time() - began) < seconds:
        while posted < passed * rate:
            one = rng.choice(rooms)
            world.post(one.room, rng.choice(one.members), f"t{time.time_ns()} hello everybody")
            posted, copies = posted + 1, copies + online[one.room]
        await asyncio.sleep(_STEP_S)
    world.flush()
    return copies


async def acknowledging(phones: Sequence[Phone]) -> None:
    """Each device says once a second what it has; evenly spread."""
    lots = [phones[n::20] for n in range(20)]
    for lot in itertools.cycle(lots):
        for phone in lot:
            phone.ack()
        await asyncio.sleep(_ACK_EVERY_S / len(lots))


async def arrived(phones: Sequence[Phone], wanted: int, within_s: float) -> int:
    """How many events have come, once it is so many or time is up."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within_s
    came = 0
    while loop.time() < deadline:
        came = sum(phone.events for phone in phones)
        if came >= wanted:
            break
        await asyncio.sleep(0.1)
    return came


async def run(rate: float, seconds: float, rooms: int, people: int, online: int) -> None:
    with deployment() as roles:
        world = World(roles.settings)
        made = town(rooms, people, rooms * 20)
        world.make(made)
        print(f"{rooms:,} rooms, {sum(len(one.members) for one in made):,} memberships", flush=True)
        roles.start("stream", "edge")
        clock = Clocked()
        here = {f"u{n}" for n in range(online)}
        phones = await connected(roles.port("edge"), sorted(here), "phone", clock.line)
        began = time.monotonic()
        await synced(phones)
        print(f"{online:,} devices follow their rooms after {time.monotonic() - began:.1f} s", flush=True)
        listening = {one.room: sum(user in here for user in one.members) for one in made}
        acks = asyncio.create_task(acknowledging(phones))
        # Each room is spoken in once: who is there begins to follow it.
        wanted = sum(listening.values())
        for one in made:
            world.post(one.room, one.members[0], "good morning")
        world.flush()
        began = time.monotonic()
        came = await arrived(phones, wanted, 120)
        print(f"{came:,} of {wanted:,} first messages after {time.monotonic() - began:.1f} s", flush=True)
        for _ in range(2):
            for phone in phones:
                phone.events = 0
            clock.took.clear()
            before, began = roles.spent(), time.monotonic()
            wanted = await say(world, made, rate, seconds, listening)
            came = await arrived(phones, wanted, 30)
            took = time.monotonic() - began
            cpu = {name: f"{(s - before[name]) / took:.0%}" for name, s in roles.spent().items()}
            p50, p99 = quantile(clock.took, 0.5), quantile(clock.took, 0.99)
            whole = "complete" if came == wanted else f"{came:,} of {wanted:,}"
            print(
                f"{rate:,.0f}/s for {seconds:.0f} s: {wanted / seconds:,.0f} copies/s, p50 {p50:.0f} ms,"
                f" p99 {p99:.0f} ms, {whole}; {cpu}",
                flush=True,
            )
            if came == wanted:
                sample("rooms delivery p50", "touchline", p50, rate)
                sample("rooms delivery p99", "touchline", p99, rate)
        acks.cancel()
        print(f"edge {roles.held('edge')[0]:.0f} MB, worker {roles.held('stream')[0]:.0f} MB")


def measure(rate: float = 2000, seconds: float = 12, rooms: int = 10_000) -> None:
    asyncio.run(run(rate, seconds, rooms, people=2 * rooms, online=rooms // 2))
