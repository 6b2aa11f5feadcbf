"""Injects the faults of a schedule one after the other, and undoes each when its time is over."""

import asyncio
import signal
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from chaos.cluster import Cluster
from chaos.faults.links import BROKERS, ROLES
from chaos.faults.schedule import Blow
from kernel.errors import TouchlineError

_LOOK_S: Final = 0.5
#: A role that is struck while it starts, on a machine that has more to do, takes its time.
_UPGRADE_S: Final = 180.0
Tell = Callable[[str], None]


class Faults:
    """A schedule being carried out, with the supervisor that a real deployment has."""

    def __init__(self, cluster: Cluster, tell: Tell) -> None:
        self._cluster, self._tell = cluster, tell
        #: Processes that a fault has in its hands: the supervisor leaves them alone.
        self._held: Counter[str] = Counter()
        self._upgrading = asyncio.Lock()
        #: Roles that ended although nobody had struck them, and how often.
        self.ended_by_themselves: Counter[str] = Counter()

    async def carry_out(self, blows: Sequence[Blow]) -> None:
        """Until the last one is over."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        async with asyncio.TaskGroup() as group:
            for blow in blows:
                await asyncio.sleep(max(0.0, begun + blow.at_s - loop.time()))
                self._tell(str(blow))
                group.create_task(self._try(blow))

    async def supervise(self) -> None:
        """Start again what has ended, until cancelled."""
        while True:
            for name in (*ROLES, *BROKERS, "elasticsearch"):
                if self._held[name] or not self._cluster.has_begun(name):
                    continue
                if not self._cluster.is_running(name):
                    self.ended_by_themselves[name] += 1
                    self._tell(f"           {name} has ended by itself, and is started again")
                    await asyncio.to_thread(self._cluster.revive, name)
            await asyncio.sleep(_LOOK_S)

    async def _try(self, blow: Blow) -> None:
        """A fault that cannot be carried out ends no run: the invariants judge what it has left."""
        try:
            await self._strike(blow)
        except (TouchlineError, OSError, TimeoutError) as error:
            self._tell(f"           {blow.fault} {blow.target} could not be carried out: {error!r}")

    async def _strike(self, blow: Blow) -> None:
        cluster, target = self._cluster, blow.target
        match blow.fault:
            case "kill":
                await self._holding(target, self._kill, target, blow.lasts_s)
            case "freeze":
                await self._holding(target, self._freeze, target, blow.lasts_s)
            case "restart":
                await self._holding(target, asyncio.to_thread, cluster.restart, target)
            case "upgrade":
                # One kind is whole before the next one's turn: the order is what makes it work.
                async with self._upgrading:
                    for role in ROLES:
                        if role.startswith(target):
                            await self._holding(role, asyncio.to_thread, cluster.upgrade, role)
                            await self._ready(role)
            case "cut" | "half_open" | "slow":
                await asyncio.to_thread(cluster.link, target, blow.fault, blow.amount)
                await asyncio.sleep(blow.lasts_s)
                await asyncio.to_thread(cluster.link, target, "pass")
            case "disk_full":
                await asyncio.to_thread(cluster.refuse_writes, True)
                await asyncio.sleep(blow.lasts_s)
                await asyncio.to_thread(cluster.refuse_writes, False)
            case "clock":
                cluster.skew(target, blow.amount)
                await asyncio.sleep(blow.lasts_s)
                cluster.skew(target, 0.0)

    async def _holding(self, name: str, act: Callable[..., object], *arguments: object) -> None:
        self._held[name] += 1
        try:
            await act(*arguments)  # type: ignore[misc]
        finally:
            self._held[name] -= 1

    async def _kill(self, name: str, seconds: float) -> None:
        await asyncio.to_thread(self._cluster.kill, name)
        await asyncio.sleep(seconds)
        await asyncio.to_thread(self._cluster.revive, name)

    async def _freeze(self, name: str, seconds: float) -> None:
        self._cluster.signal(name, signal.SIGSTOP)
        await asyncio.sleep(seconds)
        self._cluster.signal(name, signal.SIGCONT)

    async def _ready(self, name: str) -> None:
        async with asyncio.timeout(_UPGRADE_S):
            while not await asyncio.to_thread(self._cluster.is_ready, name):  # noqa: ASYNC110
                await asyncio.sleep(_LOOK_S)
