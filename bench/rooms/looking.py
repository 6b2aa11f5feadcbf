"""One user at an edge: `inbox` with 200 rooms, `sync` with 20, 200 and 2,000 of which 20 have news, also of
devices that nobody knows, and how soon what is read on one device is off the other."""

import asyncio
import random
import time
from collections.abc import Sequence

import msgspec

from bench.report.figures import quantile, sample
from bench.rooms.phones import Phone, close, connected, note_seq
from bench.rooms.roles import Roles, deployment
from bench.rooms.world import Made, World

_NEWS = 20
_ROUNDS = 9
_NEW = 5
_BADGES = 30
_SIZES = (20, 200, 2000)


def rooms_of(size: int) -> list[Made]:
    """Rooms of ten, in which one user has so many."""
    return [
        Made(f"s{size}-{n}", [f"me{size}", *(f"x{n}-{other}" for other in range(9))]) for n in range(size)
    ]


async def follow(roles: Roles, world: World, size: int, rng: random.Random) -> None:
    """A device that comes again and again, to twenty rooms with news each time."""
    rooms, user = rooms_of(size), f"me{size}"
    (phone,) = await connected(roles.port("edge"), [user], "phone", note_seq)
    await phone.done("sync")
    await came(phone, size)
    synced, whole = [], []
    for number in range(_ROUNDS):
        while phone.seqs:
            some = dict(list(phone.seqs.items())[:500])
            await phone.done("ack", seqs=some)
            phone.seqs = {stream: seq for stream, seq in phone.seqs.items() if stream not in some}
        phone.close()
        await folded(roles, user)
        news = rng.sample(rooms, min(_NEWS, size))
        for one in news:
            world.post(one.room, one.members[1], "something new")
        world.flush()
        await asyncio.sleep(0.5)  # it is counted everywhere
        (phone,) = await connected(roles.port("edge"), [user], "phone", note_seq)
        began = time.perf_counter()
        await phone.done("sync")
        answered = time.perf_counter() - began
        await came(phone, len(news))
        if number >= 2:
            synced.append(answered * 1000)
            whole.append((time.perf_counter() - began) * 1000)
    phone.close()
    print(
        f"sync of a user in {size:,} rooms: answered p50 {quantile(synced, 0.5):.1f} ms, all"
        f" {_NEWS} events there p50 {quantile(whole, 0.5):.1f} ms, the slowest {max(whole):.1f}",
        flush=True,
    )
    sample("rooms sync", "touchline", quantile(whole, 0.5), size)


async def newcomers(roles: Roles, size: int) -> None:
    """Devices that come for the first time: each gets the last messages of all rooms."""
    synced, whole, behind = [], [], 0
    for number in range(_NEW):
        (tv,) = await connected(roles.port("edge"), [f"me{size}"], f"tv-{number}", note_seq)
        began = time.perf_counter()
        behind = (await tv.done("sync"))["behind"]
        synced.append((time.perf_counter() - began) * 1000)
        await came(tv, behind)
        whole.append((time.perf_counter() - began) * 1000)
        tv.close()
    print(
        f"sync of a new device, {size:,} rooms: answered p50 {quantile(synced, 0.5):.1f} ms, all {behind:,}"
        f" events there p50 {quantile(whole, 0.5):.1f} ms",
        flush=True,
    )
    sample("rooms sync new", "touchline", quantile(whole, 0.5), size)


async def came(phone: Phone, events: int) -> None:
    async with asyncio.timeout(30):
        while phone.events < events:  # noqa: ASYNC110 - it is looked at as often as the loop turns
            await asyncio.sleep(0)


async def folded(roles: Roles, user: str) -> None:
    """Wait until what was acknowledged is known to the table on disk: a new connection asks nothing else."""
    (other,) = await connected(roles.port("edge"), [user], "phone")
    async with asyncio.timeout(30):
        while (await other.done("sync"))["behind"]:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    other.close()
    await asyncio.sleep(0.2)


async def inbox(roles: Roles) -> None:
    (phone,) = await connected(roles.port("edge"), ["me200"], "phone")
    took = []
    for number in range(330):
        began = time.perf_counter()
        reply = await phone.done("inbox", limit=50)
        if number >= 30:
            took.append((time.perf_counter() - began) * 1000)
        assert len(reply["rooms"]) == 50
    phone.close()
    p50, p99 = quantile(took, 0.5), quantile(took, 0.99)
    print(f"inbox of 200 rooms: p50 {p50:.2f} ms, p99 {p99:.2f} ms", flush=True)
    for third in range(3):
        sample("rooms inbox p50", "touchline", quantile(took[third::3], 0.5))
        sample("rooms inbox p99", "touchline", quantile(took[third::3], 0.99))


class Badges:
    """A laptop that shows what is unread."""

    def __init__(self) -> None:
        self.unread: dict[str, int] = {}
        self.came = asyncio.Event()

    def line(self, _: Phone, line: bytes) -> None:
        if line.startswith(b'{"op":"inbox"'):
            for row in msgspec.json.decode(line)["rooms"]:
                self.unread[row["room"]] = row["unread"]
            self.came.set()

    async def until(self, room: str, unread: int) -> None:
        async with asyncio.timeout(20):
            while self.unread.get(room) != unread:
                self.came.clear()
                await self.came.wait()


async def badges(world: World, rng: random.Random, phone: Phone, laptop: Phone, shown: Badges) -> list[float]:
    """From `read` on the telephone until the laptop is told."""
    rooms = rooms_of(20)
    await phone.done("sync")
    page = await laptop.done("inbox", limit=50)
    shown.unread = {row["room"]: row["unread"] for row in page["rooms"]}
    took = []
    for _ in range(_BADGES):
        one = rng.choice(rooms)
        before, events = shown.unread[one.room], phone.events
        world.post(one.room, one.members[1], "look here")
        world.flush()
        await shown.until(one.room, before + 1)
        await came(phone, events + 1)
        await asyncio.sleep(rng.uniform(0, 1.5))
        stream = f"chat:room-{one.room}"
        began = time.perf_counter()
        phone.ask("read", stream=stream, seq=phone.seqs[stream])
        await shown.until(one.room, 0)
        took.append((time.perf_counter() - began) * 1000)
    return took


async def badge(roles: Roles, world: World, rng: random.Random) -> None:
    for where in ("edge", "edge-2"):
        (phone,) = await connected(roles.port("edge"), ["me20"], "phone", note_seq)
        shown = Badges()
        (laptop,) = await connected(roles.port(where), ["me20"], "laptop", shown.line)
        took = await badges(world, rng, phone, laptop, shown)
        close((phone, laptop))
        who = "at the same edge" if where == "edge" else "at another edge"
        p50, p99 = quantile(took, 0.5), quantile(took, 0.99)
        print(f"read here, badge gone {who}: p50 {p50:.0f} ms, p99 {p99:.0f} ms", flush=True)
        sample("rooms badge p50", who, quantile(took, 0.5))
        sample("rooms badge p99", who, quantile(took, 0.99))


async def run(sizes: Sequence[int]) -> None:
    rng = random.Random(3)
    with deployment() as roles:
        world = World(roles.settings)
        all_ = [one for size in sizes for one in rooms_of(size)]
        world.make(all_)
        roles.start("stream", "edge", "edge-2")
        for one in all_:
            world.post(one.room, one.members[1], "the first message")
        world.flush()
        await asyncio.sleep(3)
        for size in sizes:
            await follow(roles, world, size, rng)
            await newcomers(roles, size)
        await inbox(roles)
        await badge(roles, world, rng)


def measure() -> None:
    asyncio.run(run(_SIZES))
