"""`python -m chaos.soak`: the same load for a long time, and whether memory, lag and latency stay flat."""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from chaos.cluster import Cluster
from chaos.flatness import Bound, drift, not_flat
from chaos.load import KafkaPoster, streams
from chaos.parts.rooms.work import RoomsAtWork
from chaos.parts.walkers.people import Onlooker, People
from chaos.recorders import Watcher
from consumers.client.viewer import Viewer
from embedded.supervision import probe
from kernel.clock import from_rfc3339
from kernel.process.probe import get
from kernel.settings.reading import load_settings

_EVERY_S: Final = 2.0
#: Between two positions of a walker, and how many of them look who is near.
_WALK_S: Final = 5.0
_ONLOOKERS: Final = 8
#: Of Python's and Kafka's allocators a few percent are noise; what leaks grows without end.
BOUNDS: Final = {
    "MB": Bound(0.08, 4.0),
    "files": Bound(0.0, 4.0),
    "threads": Bound(0.0, 2.0),
    "tasks": Bound(0.0, 4.0),
    "records": Bound(0.5, 200.0),
    "ms": Bound(0.5, 20.0),
}


class Delays:
    """How old events are when a viewer has them, by the clock of this machine, which the brokers have too."""

    def __init__(self) -> None:
        self._fresh: list[float] = []

    async def watch(self, url: str, stream: str) -> None:
        """Until cancelled."""
        async with Viewer(url) as viewer:
            async for event in viewer.stream(stream):
                self._fresh.append(time.time() * 1000 - from_rfc3339(event.server_ts))

    def worst(self) -> float | None:
        """The p99 since it was asked last."""
        fresh, self._fresh = sorted(self._fresh), []
        return fresh[min(len(fresh) - 1, round(len(fresh) * 0.99))] if fresh else None


def sample(cluster: Cluster, into: defaultdict[str, list[float]]) -> None:
    """What every role holds, and how far it is behind."""
    for role, size in cluster.sizes().items():
        into[f"{role} MB"].append(size.megabytes)
        into[f"{role} files"].append(size.files)
        into[f"{role} threads"].append(size.threads)
        into[f"{role} tasks"].append(size.tasks)
    for role, url in cluster.operators.items():
        answer = get(f"{url}/metrics")
        if answer is not None and (behind := probe.lag(answer[1].decode().splitlines())) is not None:
            into[f"{role} lag in records"].append(behind)


async def soak(
    cluster: Cluster,
    seconds: float,
    *,
    viewers: int,
    per_s: float,
    rooms: int = 0,
    walkers: int = 40,
    channels: int = 6,
) -> dict[str, list[float]]:
    """The series that were measured under a steady load, of which walkers and some who look on are a part."""
    chance, loop = random.Random(1), asyncio.get_running_loop()  # noqa: S311 - the same load each time
    poster, everything = KafkaPoster(cluster.settings, channels, per_s, chance), streams(channels)
    watchers = [Watcher(str(n), cluster.edge_urls, chance.sample(everything, 2), n) for n in range(viewers)]
    people = People(cluster.gateway_url, cluster.settings, walkers, _WALK_S, 1)
    onlookers = [Onlooker(user, cluster.edge_urls, n) for n, user in enumerate(people.names[:_ONLOOKERS])]
    await people.befriend()
    delays, enough = Delays(), asyncio.Event()
    at_work = RoomsAtWork(
        cluster.settings, cluster.gateway_url, cluster.edge_urls, number=rooms, per_s=per_s / 10, seed=1
    )
    for watcher in watchers:
        watcher.forget_what_was_seen = True
    for device in at_work.devices:
        device.forget_what_was_seen = True
    for onlooker in onlookers:
        onlooker.forget_what_was_seen = True
    in_rooms = await at_work.begin(enough)
    tasks = [loop.create_task(watcher.run()) for watcher in watchers]
    tasks += [loop.create_task(onlooker.run()) for onlooker in onlookers]
    tasks += in_rooms.stays
    tasks.append(loop.create_task(delays.watch(cluster.edge_urls[0], everything[0])))
    minds = [loop.create_task(people.walk(enough)), loop.create_task(people.change_minds(enough))]
    posting = [loop.create_task(poster.run(enough)), *minds, *in_rooms.ends.values()]
    measured: defaultdict[str, list[float]] = defaultdict(list)
    try:
        end = loop.time() + seconds
        while loop.time() < end:
            await asyncio.sleep(_EVERY_S)
            for task in (*tasks, *posting):
                if task.done():
                    task.result()
            await asyncio.to_thread(sample, cluster, measured)
            if (worst := delays.worst()) is not None:
                measured["delivery p99 in ms"].append(worst)
    finally:
        enough.set()
        await asyncio.wait(posting, timeout=30)
        for task in (*tasks, *posting):
            task.cancel()
        await asyncio.gather(*tasks, *posting, return_exceptions=True)
    return measured


def lines(measured: dict[str, list[float]]) -> list[str]:
    """For people: where each series began and where it ended."""
    return [
        f"  {name:28} {drift(s).first:10.1f} -> {drift(s).last:10.1f}" for name, s in sorted(measured.items())
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """0 if all stayed flat."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--viewers", type=int, default=60)
    parser.add_argument("--rate", type=float, default=100)
    parser.add_argument("--rooms", type=int, default=5)
    parser.add_argument("--report", type=Path)
    given = parser.parse_args(arguments)
    embedded = load_settings().embedded
    servers_dir = Path(embedded.servers_dir or Path(embedded.data_dir) / "servers").absolute()
    with tempfile.TemporaryDirectory(prefix="touchline-soak-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o711)
        cluster = Cluster(Path(name), servers_dir)
        try:
            cluster.start()
            load = {"viewers": given.viewers, "per_s": given.rate, "rooms": given.rooms}
            measured = asyncio.run(soak(cluster, given.minutes * 60, **load))
        finally:
            cluster.close()
    if given.report is not None:
        given.report.write_bytes(msgspec.json.encode(measured))
    wrong = not_flat(measured, BOUNDS)
    said = [
        f"{given.minutes:g} minutes, {given.rate:g} events/s, {given.viewers} viewers, {given.rooms} rooms",
        *lines(measured),
    ]
    said += [f"FAILED  {sentence}" for sentence in wrong] or ["held    everything stayed flat"]
    sys.stdout.write("\n".join(said) + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
