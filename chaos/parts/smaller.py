"""Who changes channels, a crowd that applauds and votes, and who follows: parts of a run."""

import asyncio
import random
from typing import Final

from chaos import invariants
from chaos.cluster import Cluster
from chaos.load import channels
from chaos.parts.changing import READERS, Setter, kept, let_in, recount, shown, written
from chaos.parts.clapping import Clapper
from chaos.parts.clapping import recount as recount_reactions
from chaos.parts.clapping import shown as shown_totals
from chaos.parts.following import Follower, Receiver, wrong
from chaos.parts.following import recount as follows_by_the_log
from chaos.parts.part import Part, Tasks, UntilRight
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


class Following(Part):
    """Followers, feeds, and the events that a failing receiver of webhooks took, are what a recount gives."""

    def __init__(self, cluster: Cluster, number: int, seed: int) -> None:
        self._cluster, played = cluster, channels(number)
        self._streams = [f"{kind}:{channel}" for kind in ("chat", "broadcast") for channel in played]
        self._follower = Follower(cluster.gateway_url, played, random.Random(seed))  # noqa: S311
        self._receiver = Receiver(cluster.gateway_url, self._streams, random.Random(seed))  # noqa: S311

    async def begin(self, enough: asyncio.Event) -> Tasks:
        await self._follower.prepare()
        await self._receiver.start()
        return Tasks({self._follower.name: asyncio.create_task(self._follower.run(enough))})

    async def compare(self, until_right: UntilRight) -> dict[str, list[str]]:
        async def following() -> list[str]:
            told = await asyncio.to_thread(follows_by_the_log, self._cluster.settings)
            return await wrong(self._cluster.gateway_url, told, self._receiver, self._streams)

        claim = "followers, feeds and a failing webhook's events are what a recount of the log gives"
        return {claim: await until_right(following)}

    async def end(self) -> None:
        await self._receiver.close()
