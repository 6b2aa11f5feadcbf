"""A search by a user in 2,000 rooms of which they joined 200 midway, and by who joined very many so."""

import asyncio
import random
import time
from collections.abc import Iterator
from typing import Any

from aiohttp import ClientSession

from bench.indexer import index_all
from bench.report.figures import quantile, sample
from bench.rig.corpus import WORDS
from bench.rooms.roles import deployment
from bench.rooms.world import Made, World
from kernel.clock import SystemClock
from kernel.log.positions import Kind, make_seq
from tests.accepted import chat, write

_ROOMS = 2000
#: Who has joined how many of all of them midway.
_USERS = {"few": 200, "some": 600, "many": 1500}
_TURNS = 60


def rooms(documents: int) -> list[Made]:
    """Each has all three of them; of each user others were joined midway."""
    return [
        Made(f"q{n}", ["maker", *sorted(_USERS, key=lambda user: n < _USERS[user])],
             joined=make_seq(1, documents // 2), late=sum(n < late for late in _USERS.values()))
        for n in range(_ROOMS)
    ]  # fmt: skip


def messages(documents: int) -> Iterator[dict[str, Any]]:
    rng, since = random.Random(5), SystemClock().now_ms() - documents
    for n in range(1, documents + 1):
        text = " ".join(rng.choices(WORDS, k=18))
        yield chat(f"room-q{rng.randrange(_ROOMS)}", n, text, sender="maker", at=since + n)


async def run(documents: int) -> None:
    with deployment(elasticsearch=True) as roles:
        world = World(roles.settings)
        world.make(rooms(documents))
        write(roles.settings, Kind.CHAT, messages(documents))
        count, took = await index_all(roles.settings, publish_s=5)
        print(f"{count:,} indexed in {took:.0f} s", flush=True)
        roles.start("gateway")
        url = f"http://127.0.0.1:{roles.port('gateway')}/v1/search"
        async with ClientSession() as http:
            for user, late in _USERS.items():
                await ask(http, url, user, late)


async def ask(http: ClientSession, url: str, user: str, late: int) -> None:
    rng, took, totals = random.Random(6), [], set()
    for number in range(_TURNS + 20):
        params = {"q": " ".join(rng.sample(WORDS, 2)), "limit": "20"}
        began = time.perf_counter()
        async with http.get(url, params=params, headers={"Touchline-User": user}) as answer:
            body = await answer.json()
        assert answer.status == 200, body
        totals.add(body["total"])
        if number >= 20:
            took.append((time.perf_counter() - began) * 1000)
    print(
        f"in {_ROOMS:,} rooms, {late:,} joined midway: p50 {quantile(took, 0.5):.1f} ms,"
        f" p99 {quantile(took, 0.99):.1f} ms; totals {min(totals):,} to {max(totals):,}",
        flush=True,
    )
    for third in range(3):
        sample("rooms search", "touchline", quantile(took[third::3], 0.5), late)


def measure(documents: int = 200_000) -> None:
    asyncio.run(run(documents))
