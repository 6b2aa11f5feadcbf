"""`make containers ARGS=--alerts`: breaks one thing after the other, and looks which alert Prometheus tells.

Then does what that alert's runbook says, and looks whether it is told no more.
"""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlencode
from urllib.request import urlopen

from chaos.run import AWAY
from tests.containers.compose import Compose
from tests.containers.people import People

#: More than TouchlineIndexBehind asks for.
_FLOOD: Final = 25_000
#: An alert waits for up to five minutes until it is told, and looks at the last five.
_TOLD_S: Final = 720.0
_KILLS: Final = 3
Tell = Callable[[str], None]


async def try_alerts(compose: Compose, people: People, tell: Tell) -> None:
    """Raises where an alert is not told that should be, or still is when it should not."""
    trial = _Trial(compose, people, tell)
    # Told only after minutes: the rest goes on meanwhile.
    await trial.run("stop", "elasticsearch")
    await people.flood(_FLOOD)
    behind = time.monotonic()

    for _ in range(_KILLS):
        before = await asyncio.to_thread(trial.started, "gateway")
        await asyncio.to_thread(compose.kill, "gateway")
        # Two starts between which Prometheus does not look are one to it.
        await trial.until(lambda b=before: trial.started("gateway") > b, "the gateway is seen again")  # type: ignore[misc]
    await trial.told("the gateway was killed three times", "TouchlineRoleRestarts", job="gateway")

    edge = compose.containers("edge-2")[0]["Id"]
    await asyncio.to_thread(compose.daemon.docker, "pause", edge)
    await trial.told("edge-2 stands still", "TouchlineRoleAway", job="edge")
    await trial.told("edge-2 stands still", "TouchlineCanaryMissed", where="ws://edge-2:18081/v1/ws")
    await asyncio.to_thread(compose.daemon.docker, "unpause", edge)
    await trial.run("restart", "edge-2")
    await trial.over("edge-2 was started anew", "TouchlineRoleAway")

    await trial.run("stop", "stream")
    await trial.told("both workers are stopped", "TouchlineRoleMissing")
    await trial.run("start", "stream")
    await trial.over("the workers were started", "TouchlineRoleMissing")

    await trial.told("Elasticsearch is stopped", "TouchlineIndexBehind", since=behind)
    await trial.run("start", "elasticsearch")
    await trial.over("Elasticsearch was started", "TouchlineIndexBehind")

    await trial.run("stop", "kafka-2", "kafka-3")
    await trial.told("two of three brokers are stopped", "TouchlineCanaryMissed", where="posting")
    await trial.run("start", "kafka-2", "kafka-3")
    await trial.over("the brokers were started", "TouchlineCanaryMissed")
    took = await people.proceed(60, 180)
    tell(f"60 events more were taken within {took:.1f} s")


class _Trial:
    def __init__(self, compose: Compose, people: People, tell: Tell) -> None:
        self._compose, self._people, self._tell = compose, people, tell

    async def run(self, *arguments: str) -> None:
        await asyncio.to_thread(self._compose, *arguments)

    def started(self, job: str) -> float:
        """When the youngest process of a role was started that Prometheus reaches; 0: it reaches none."""
        asked = urlencode({"query": f"max(process_start_time_seconds{{job={job!r}}})"})
        with urlopen(f"{self._compose.prometheus}/api/v1/query?{asked}", timeout=10) as answer:
            samples: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return max((float(sample["value"][1]) for sample in samples), default=0.0)

    async def told(self, what: str, alert: str, *, since: float = 0.0, **labels: str) -> None:
        begun = since or time.monotonic()
        await self.until(lambda: self._fires(alert, labels), f"{alert} is told, where {what}")
        self._tell(f"{what}: {alert} is told after {time.monotonic() - begun:.0f} s")

    async def over(self, what: str, alert: str) -> None:
        begun = time.monotonic()
        await self.until(lambda: not self._fires(alert, {}), f"{alert} is told no more, where {what}")
        self._tell(f"{what}: {alert} is told no more after {time.monotonic() - begun:.0f} s")

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + _TOLD_S
        while True:
            try:
                if await asyncio.to_thread(condition):
                    return
            except AWAY:
                pass
            assert time.monotonic() < deadline, f"Not within {_TOLD_S:.0f} s: {what}."
            self._people.still_there()
            await asyncio.sleep(1)

    def _fires(self, alert: str, labels: dict[str, str]) -> bool:
        with urlopen(f"{self._compose.prometheus}/api/v1/alerts", timeout=10) as answer:
            told: list[dict[str, Any]] = json.load(answer)["data"]["alerts"]
        wanted = {"alertname": alert, **labels}.items()
        return any(one["state"] == "firing" and wanted <= one["labels"].items() for one in told)
