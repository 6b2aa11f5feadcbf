"""Who changes channels, and a crowd that applauds and votes: parts of a run."""

import asyncio
import random
from typing import Final

from chaos import invariants
from chaos.changing import READERS, Setter, kept, let_in, recount, shown, written
from chaos.clapping import Clapper
from chaos.clapping import recount as recount_reactions
from chaos.clapping import shown as shown_totals
from chaos.cluster import Cluster
from chaos.parts import Part, Tasks, UntilRight
from chaos.report import Report

#: Channels whose settings change.
_SET: Final = 6


class ChannelChanges(Part):
    """What is set is what a recount of the commands gives."""

    def __init__(self, cluster: Cluster, seed: int) -> None:
        self._cluster = cluster
        self._setter = Setter(cluster.gateway_url, _SET, random.Random(seed))  # noqa: S311 - to be had again

    async def begin(self, enough: asyncio.Event) -> Tasks:
        return Tasks({self._setter.name: asyncio.create_task(self._setter.run(enough))})

    async def compare(self, until_right: UntilRight) -> dict[str, list[str]]:
        cluster, setter = self._cluster, self._setter

        async def state() -> list[str]:
            right = await asyncio.to_thread(recount, cluster.settings)
            sources = {
                "what the workers wrote": await asyncio.to_thread(written, cluster.settings),
                "the gateway": await shown(f"http://127.0.0.1:{cluster.settings.gateway.port}", kept(_SET)),
            }
            wrong = invariants.confirmed_is_in_the_log(setter.confirmed, right.commands)
            wrong += invariants.state_is_the_recount(sources, right.channels)
            return wrong or invariants.doors_are_as_set(
                await let_in(cluster.doors, kept(_SET)), right.channels, READERS
            )

        return {"what is set is what a recount of the commands gives": await until_right(state)}

    def count(self, report: Report) -> None:
        report.set = sum(self._setter.confirmed.values())


class Crowd(Part):
    """Reactions and votes are what a recount of them gives."""

    def __init__(self, cluster: Cluster, seed: int) -> None:
        self._cluster = cluster
        self._clapper = Clapper(cluster.gateway_url, random.Random(seed))  # noqa: S311 - to be had again

    async def begin(self, enough: asyncio.Event) -> Tasks:
        return Tasks({self._clapper.name: asyncio.create_task(self._clapper.run(enough))})

    async def compare(self, until_right: UntilRight) -> dict[str, list[str]]:
        clapper = self._clapper

        async def totals() -> list[str]:
            right = await asyncio.to_thread(recount_reactions, self._cluster.settings)
            said = await shown_totals(self._cluster.gateway_url, clapper.places)
            wrong = invariants.totals_are_the_recount(said, right)
            return wrong or invariants.applause_is_as_confirmed(right, clapper.confirmed, clapper.unknown)

        return {"reactions and votes are what a recount of them gives": await until_right(totals)}
