"""One run from start to report: load, faults, rest, and then what everybody has taken down is compared."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from aiohttp import ClientError, ClientSession, ClientTimeout
from confluent_kafka import KafkaException

from chaos import invariants
from chaos.cluster import Cluster
from chaos.faults.injecting import Faults, Tell
from chaos.faults.schedule import Blow
from chaos.invariants import Log, Seen, Size, Standing, Watched
from chaos.load import HTTP_SHARE, HttpPoster, KafkaPoster, Poster, streams
from chaos.parts.part import Part
from chaos.parts.rooms.recount import STREAM
from chaos.parts.rooms.work import RoomsAtWork
from chaos.parts.smaller import ChannelChanges, Crowd, Following
from chaos.parts.walkers.company import Company
from chaos.recorders import Asker, Reader, Watcher, read_log
from chaos.report import Report
from chaos.upgrades.earlier import PARTS, Earlier
from consumers.delivery.hub import LOCATION_RING
from kernel.access.users import AUDIT, NOTIFY
from kernel.errors import TouchlineError
from kernel.log.positions import Kind, Stream

#: How long everything has to be whole again after the last fault. Sessions of killed members run out in it.
_REST_S: Final = 120.0
_WARM_S: Final = 6.0
_LOOK_S: Final = 0.25
#: What a role may hold more at the end than when it was warm: rings and caches that have filled, and a pool
#: of log readers, each of which has a thread and a connection for every broker, made when it is needed.
_GRACE: Final = Size(megabytes=120, files=80, threads=40, tasks=20)
#: Of these no search tells: they are read in their history.
_UNSEARCHED: Final = (f"broadcast:{NOTIFY}", f"broadcast:{AUDIT}")
#: What asking fails with while something is away; whatever else it is, is a mistake of this harness.
AWAY: Final = (TouchlineError, ClientError, KafkaException, OSError, TimeoutError)


class Plan(NamedTuple):
    """What a run is made of."""

    seed: int
    seconds: float
    blows: Sequence[Blow]
    viewers: int = 60
    channels: int = 6
    events_per_s: float = 60.0
    rooms: int = 5
    #: What people do in rooms, a second.
    rooms_per_s: float = 6.0
    #: People who walk, each about every so many seconds; some of them look who is near.
    walkers: int = 60
    walk_every_s: float = 5.0
    onlookers: int = 12
    #: Which systems take part, beside viewers and their events (chaos/parts/part.py).
    parts: Sequence[str] = PARTS
    #: Those that do not, though they could be asked for, and why.
    left_out: Mapping[str, str] = {}
    #: The earlier version that every role runs until an `upgrade` reaches it.
    before: Earlier | None = None


async def run(plan: Plan, directory: Path, servers_dir: Path, tell: Tell) -> Report:
    """Carry out a plan on a cluster of its own. Raises TouchlineError where that does not even start."""
    cluster = Cluster(directory, servers_dir, before=plan.before)
    try:
        tell("starting three brokers, Elasticsearch, and every role")
        await asyncio.to_thread(cluster.start)
        return await _under_load(plan, cluster, tell)
    finally:
        await asyncio.to_thread(cluster.close)


def _parts(plan: Plan, cluster: Cluster) -> list[Part]:
    longest_s = max((blow.lasts_s for blow in plan.blows), default=0.0)
    made: dict[str, Callable[[], Part]] = {
        "channels": lambda: ChannelChanges(cluster, plan.seed),
        "crowd": lambda: Crowd(cluster, plan.seed),
        "following": lambda: Following(cluster, plan.channels, plan.seed),
        "rooms": lambda: RoomsAtWork(
            cluster.settings, cluster.gateway_url, cluster.edge_urls,
            number=plan.rooms, per_s=plan.rooms_per_s, seed=plan.seed,
        ),
        "walkers": lambda: Company(
            cluster, number=plan.walkers, every_s=plan.walk_every_s, onlookers=plan.onlookers,
            seed=plan.seed, longest_s=longest_s,
        ),
    }  # fmt: skip
    return [made[name]() for name in plan.parts]


async def _under_load(plan: Plan, cluster: Cluster, tell: Tell) -> Report:
    loop, chance = asyncio.get_running_loop(), random.Random(plan.seed)  # noqa: S311 - to be had again
    over_http = plan.events_per_s * HTTP_SHARE
    posters: list[Poster] = [
        KafkaPoster(cluster.settings, plan.channels, plan.events_per_s - over_http, chance),
        HttpPoster(cluster.gateway_url, plan.channels, over_http, chance),
    ]
    everything = streams(plan.channels)
    watchers = [
        Watcher(
            f"viewer {n}", cluster.edge_urls, chance.sample(everything, 2), seed=chance.randrange(1 << 30)
        )
        for n in range(plan.viewers)
    ]
    asker = Asker(cluster.gateway_url, everything, random.Random(plan.seed))  # noqa: S311
    faults, enough, parts = Faults(cluster, tell), asyncio.Event(), _parts(plan, cluster)
    posting: dict[str, asyncio.Task[None]] = {}
    everybody: list[asyncio.Task[None]] = []
    report = Report(
        seed=plan.seed, seconds=plan.seconds, blows=plan.blows, viewers=plan.viewers, left_out=plan.left_out
    )
    try:
        for part in parts:
            begun = await part.begin(enough)
            posting |= begun.ends
            everybody += [*begun.ends.values(), *begun.stays]
        posted = {poster.name: loop.create_task(poster.run(enough)) for poster in posters}
        posting |= posted
        asking = loop.create_task(asker.run())
        everybody += [*posted.values(), asking, loop.create_task(faults.supervise())]
        everybody += [loop.create_task(watcher.run()) for watcher in watchers]
        await asyncio.sleep(_WARM_S)
        await _warm(cluster)
        before = await asyncio.to_thread(cluster.sizes)
        await faults.carry_out(plan.blows)
        tell("the last fault is over: everything has to become whole again")
        rested = loop.time()
        enough.set()
        _all_stay(watchers, parts)
        late = await _whole_again(cluster, watchers, parts, posting, everybody)
        if not late:
            report.recovered_s = round(loop.time() - rested, 1)
        findings = {"everything becomes whole again": late}
        asking.cancel()
        findings |= await _compare(cluster, posters, watchers, asker)
        for part in parts:
            findings |= await part.compare(until_right)
            part.count(report)
    finally:
        enough.set()
        for task in everybody:
            task.cancel()
        await asyncio.gather(*everybody, return_exceptions=True)
        for part in parts:
            await part.end()
    after = await asyncio.to_thread(cluster.sizes)
    findings["memory, files, threads and tasks return"] = invariants.sizes_return(before, after, _GRACE)
    report.findings = findings
    report.ended_by_themselves = dict(faults.ended_by_themselves)
    _count(report, posters, watchers, asker)
    return report


def _all_stay(watchers: Sequence[Watcher], parts: Sequence[Part]) -> None:
    for watcher in watchers:
        watcher.stay()
    for part in parts:
        part.stay()


def _count(report: Report, posters: Sequence[Poster], watchers: Sequence[Watcher], asker: Asker) -> None:
    report.posted = sum(len(keys) for poster in posters for keys in poster.posted.values())
    report.acknowledged = sum(len(keys) for poster in posters for keys in poster.acknowledged.values())
    report.not_delivered = dict(sum((poster.failed for poster in posters), Counter()))
    report.pages, report.unanswered = len(asker.pieces), asker.unanswered
    report.shown = sum(len(v.seen) for w in watchers for v in w.viewings)
    report.gaps_told = sum(len(v.told) for w in watchers for v in w.viewings)


async def _warm(cluster: Cluster) -> None:
    """Use once what will be used in the end, so that pools and caches are filled before they are measured.

    Where all has just been started on few cores, a first answer may not come in time: it is asked for again.
    """
    async with ClientSession(timeout=ClientTimeout(total=30)) as http:
        reader = Reader(http, f"http://127.0.0.1:{cluster.settings.gateway.port}")

        async def cold() -> list[str]:
            log = await asyncio.to_thread(read_log, cluster.settings)
            for read in (reader.history, reader.found, reader.viewers):
                await asyncio.gather(*(read(Stream.parse(stream)) for stream in log))
            return []

        if wrong := await until_right(cold):
            raise TouchlineError("unavailable", f"The cluster does not do its work yet: {wrong[0]}.")


async def _whole_again(
    cluster: Cluster,
    watchers: Sequence[Watcher],
    parts: Sequence[Part],
    posting: Mapping[str, "asyncio.Task[None]"],
    everybody: Sequence["asyncio.Task[None]"],
) -> list[str]:
    """Wait for it; what is not whole when the time is up, in sentences."""

    async def wrong() -> list[str]:
        ended = [task for task in everybody if task.done() and not task.cancelled()]
        standing = Standing(
            ended=[repr(error) for task in ended if (error := task.exception()) is not None],
            waiting=[name for name, task in posting.items() if not task.done()],
            away=await asyncio.to_thread(cluster.not_ready),
        )
        if found := invariants.everything_is_whole(standing, {}):
            return found
        log = await asyncio.to_thread(read_log, cluster.settings)
        places = [Watched(w.name, stream, w.at(stream)) for w in watchers for stream in w.watched]
        for part in parts:
            places += await asyncio.to_thread(part.places)
        return invariants.everything_is_whole(standing._replace(places=places), log)

    return await until_right(wrong)


async def _compare(
    cluster: Cluster, posters: Sequence[Poster], watchers: Sequence[Watcher], asker: Asker
) -> dict[str, list[str]]:
    log: Log = {}

    async def read() -> list[str]:
        nonlocal log
        everything = await asyncio.to_thread(read_log, cluster.settings)
        # Rooms are compared by themselves: who reads what of them is another question.
        log = {stream: events for stream, events in everything.items() if not stream.startswith(STREAM)}
        return []

    if unread := await until_right(read):
        return {"the log can be read": unread}
    viewings = [viewing for watcher in watchers for viewing in watcher.viewings]
    walks = [viewing for viewing in viewings if Stream.parse(viewing.stream).kind is Kind.LOCATION]
    others = [viewing for viewing in viewings if Stream.parse(viewing.stream).kind is not Kind.LOCATION]
    lost = [s for p in posters for s in invariants.acknowledged_is_not_lost(p.acknowledged, log)]
    disorder = [s for p in posters for s in invariants.order_is_that_of_the_producer(p.posted, log)]
    found = {
        "nothing acknowledged is lost or doubled": lost,
        "the log has each producer's order": disorder,
        "each viewer sees each event once, in order": invariants.viewers_see_each_event_once(others, log),
        "each viewer has everybody's latest position": invariants.viewers_have_the_latest_positions(
            walks, log, LOCATION_RING
        ),
        "history skipped nothing while things broke": invariants.history_skips_nothing(asker.pieces, log),
    }
    gateway = f"http://127.0.0.1:{cluster.settings.gateway.port}"
    async with ClientSession(timeout=ClientTimeout(total=30)) as http:
        reader = Reader(http, gateway)
        watched = dict.fromkeys(s for w in watchers for s in w.watched)
        counts = {stream: sum(stream in w.watched for w in watchers) for stream in watched}

        async def histories() -> list[str]:
            return invariants.all_agree({"history": await _of_all(log, reader.history)}, log)

        async def index() -> list[str]:
            some = {stream: events for stream, events in log.items() if not stream.startswith(_UNSEARCHED)}
            return invariants.all_agree({"the index": await _of_all(some, reader.found)}, some)

        async def audience() -> list[str]:
            said = {stream: await reader.viewers(Stream.parse(stream)) for stream in watched}
            return invariants.counts_agree(said, counts)

        found["history holds what the log holds"] = await until_right(histories)
        found["the index holds what the log holds"] = await until_right(index)
        found["viewers are counted as they are"] = await until_right(audience)
    return found


async def _of_all(log: Log, read: Callable[[Stream], Awaitable[list[Seen]]]) -> Log:
    return {stream: await read(Stream.parse(stream)) for stream in log}


async def until_right(wrong: Callable[[], Awaitable[list[str]]]) -> list[str]:
    """Ask until nothing is wrong; what is still wrong when the time is up."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _REST_S
    while True:
        try:
            found = await wrong()
        except AWAY as error:
            found = [f"it cannot be asked: {error!r}"]
        if not found or loop.time() >= deadline:
            return found
        await asyncio.sleep(_LOOK_S)
