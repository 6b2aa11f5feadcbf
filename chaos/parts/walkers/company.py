"""Walkers and those who look on, as one of the loads of a run; and their comparison with the oracle."""

import asyncio
import random
import time
from typing import Final

from chaos.cluster import Cluster
from chaos.parts.part import Part, Tasks, UntilRight
from chaos.parts.walkers import judging
from chaos.parts.walkers.judging import Judged
from chaos.parts.walkers.people import Onlooker, People, fickle
from chaos.parts.walkers.reading import read_fences, read_world
from chaos.report import Report, Walked

#: What is shown may be late by the longest fault, and so much.
_LATE_S: Final = 30.0


class Company(Part):
    """Of one run."""

    def __init__(
        self, cluster: Cluster, *, number: int, every_s: float, onlookers: int, seed: int, longest_s: float
    ) -> None:
        """A fault lasts `longest_s` at most."""
        self._settings, self._longest_s = cluster.settings, longest_s
        self._walked = Walked()
        chance = random.Random(f"{seed}-company")  # noqa: S311 - to be had again
        self.people = People(cluster.gateway_url, cluster.settings, number, every_s, seed)
        some = chance.sample(self.people.names, min(onlookers, number))
        self.onlookers = [Onlooker(user, cluster.edge_urls, chance.randrange(1 << 30)) for user in some]

    async def begin(self, enough: asyncio.Event) -> Tasks:
        await self.people.befriend()
        loop, people = asyncio.get_running_loop(), self.people
        ends = {"the walkers": people.walk(enough), "who change their minds": people.change_minds(enough)}
        return Tasks(
            {name: loop.create_task(work) for name, work in ends.items()},
            [loop.create_task(one.run()) for one in self.onlookers],
        )

    def stay(self) -> None:
        for onlooker in self.onlookers:
            onlooker.stay()

    def count(self, report: Report) -> None:
        report.walked = self._walked

    async def compare(self, until_right: UntilRight) -> dict[str, list[str]]:
        """When all is quiet, and at each moment before that."""
        settings, people = self._settings, self.people
        late_ms = round(1000 * (_LATE_S + self._longest_s))
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
        self._walked = Walked(positions, pushes.looked, shown.looked, told.looked, late_ms / 1000)
        return found | {
            "walkers were shown who was near, when it was so": shown.wrong,
            "the oracle explains each push": pushes.wrong,
        }


def _now_ms() -> int:
    return round(time.time() * 1000)
