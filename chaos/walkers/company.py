"""Walkers and those who look on, as one of the loads of a run; and their comparison with the oracle."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

import msgspec

from chaos.cluster import Cluster
from chaos.walkers import judging
from chaos.walkers.judging import Judged
from chaos.walkers.people import Onlooker, People, fickle
from chaos.walkers.reading import read_fences, read_world

#: What is shown may be late by the longest fault, and so much.
_LATE_S: Final = 30.0
UntilRight = Callable[[Callable[[], Awaitable[list[str]]]], Awaitable[list[str]]]


class Walked(msgspec.Struct, frozen=True):
    """How much was judged; nothing of it was judged in a run of nothing."""

    positions: int = 0
    pushes: int = 0
    #: Times in which a friend was near a viewer who was connected, and nothing changed for long enough.
    near: int = 0
    crossings: int = 0
    late_s: float = 0.0


class Company:
    """Of one run."""

    def __init__(self, cluster: Cluster, number: int, every_s: float, onlookers: int, seed: int) -> None:
        self._settings = cluster.settings
        chance = random.Random(f"{seed}-company")  # noqa: S311 - to be had again
        self.people = People(cluster.gateway_url, cluster.settings, number, every_s, seed)
        some = chance.sample(self.people.names, min(onlookers, number))
        self.onlookers = [Onlooker(user, cluster.edge_urls, chance.randrange(1 << 30)) for user in some]

    def posting(self, until: asyncio.Event) -> dict[str, Coroutine[Any, Any, None]]:
        """What goes on until it is told to end."""
        people = self.people
        return {"the walkers": people.walk(until), "who change their minds": people.change_minds(until)}

    def looking(self) -> list[Coroutine[Any, Any, None]]:
        """Who looks on, until cancelled."""
        return [one.run() for one in self.onlookers]

    async def compare(self, longest_s: float, until_right: UntilRight) -> tuple[dict[str, list[str]], Walked]:
        """When all is quiet, and at each moment before that; a fault lasted `longest_s` at most."""
        settings, people, late_ms = self._settings, self.people, round(1000 * (_LATE_S + longest_s))
        told = Judged([], 0)

        async def rest() -> list[str]:
            world = await asyncio.to_thread(read_world, settings)
            return judging.right_at_rest([one.onlooking for one in self.onlookers], world, _now_ms())

        async def fences() -> list[str]:
            nonlocal told
            world = await asyncio.to_thread(read_world, settings)
            events = await asyncio.to_thread(read_fences, settings, people.fences)
            told = judging.fences_tell_what_the_oracle_tells(
                *(events, people.fences, world),
                steady=[user for user in people.names if not fickle(user)],
                beyond_m=settings.nearby.fence_hysteresis_m,
            )
            return told.wrong

        found = {
            "at rest walkers are shown who is near, as of last": await until_right(rest),
            "fences told what the oracle tells": await until_right(fences),
        }
        world = await asyncio.to_thread(read_world, settings)
        lookings = [one.onlooking for one in self.onlookers]

        def judge() -> tuple[Judged, Judged]:
            shown = judging.shown_as_the_oracle_says(lookings, world, late_ms, _now_ms())
            return shown, judging.each_push_is_explained(lookings, world, late_ms)

        shown, pushes = await asyncio.to_thread(judge)
        positions = sum(map(len, world.positions.values()))
        walked = Walked(positions, pushes.looked, shown.looked, told.looked, late_ms / 1000)
        return found | {
            "walkers were shown who was near, when it was so": shown.wrong,
            "the oracle explains each push": pushes.wrong,
        }, walked


def _now_ms() -> int:
    return round(time.time() * 1000)
