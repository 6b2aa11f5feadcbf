"""A siege from peace to report: phases of a few attackers each, and then all of them at once."""

import asyncio
import os
import random
import secrets
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from chaos.cluster import Cluster
from chaos.faults.injecting import Faults
from chaos.faults.schedule import plan as plan_faults
from chaos.siege.attackers.by_name import ATTACKERS
from chaos.siege.report import Bounds, Phase, Report, p99
from chaos.siege.strike import Orders, Outcome, Target
from chaos.siege.watching.canaries import Canaries
from chaos.siege.watching.machine import Meter, Taken
from chaos.siege.watching.onlooker import Onlooker
from chaos.siege.watching.roles import Ground, Watchman
from kernel.settings.reading import PREFIX

Tell = Callable[[str], None]
#: What rings may hold is a setting: so little that it does not hide what else an edge grows by.
_RING_BYTES: Final = 64 * 1024 * 1024
#: How long a role may need to be whole again after the last attacker.
_REST_S: Final = 60.0
#: How long a fault may go on that was begun before: roles that are restarted one by one take their time.
_STRUCK_S: Final = 180.0
_SEEN_S: Final = 10.0
#: How long it is waited for peace, at most, and by how much requests are faster than before while it is none.
_WARM_UPS: Final = 4
_CALM: Final = 0.7
_HARNESS: Final = "harness"
#: The phase of all attackers is so much longer than that of a few.
_OF_ALL: Final = 3
#: As much of a siege as is enough to know peace.
MOST_PEACE_S: Final = 45.0


class Plan(NamedTuple):
    """Who attacks, how many at once, and for how long."""

    seconds: float
    names: Sequence[str] = tuple(ATTACKERS)
    together: int = 4
    #: Of peace, to compare with; and before it as often as long until requests take what they took before.
    peace_s: float = 15.0
    seed: int = 1
    bounds: Bounds = Bounds()
    #: Faults of chaos meanwhile.
    faults: bool = False


def phases(wanted: Plan) -> list[tuple[str, ...]]:
    """Each attacker once, in an order by the seed; the last phase is all of them."""
    order = sorted(wanted.names)
    random.Random(wanted.seed).shuffle(order)  # noqa: S311 - to be had again
    some = [tuple(order[at : at + wanted.together]) for at in range(0, len(order), wanted.together)]
    return [*some, tuple(order)] if len(some) > 1 else some


def shares(wanted: Plan, turns: Sequence[Sequence[str]]) -> list[float]:
    """How many seconds each phase gets: that of all attackers more, for each has to get at something."""
    weights = [_OF_ALL if len(names) > wanted.together else 1 for names in turns]
    second = (wanted.seconds - 2 * wanted.peace_s) / sum(weights)
    return [weight * second for weight in weights]


async def run(wanted: Plan, directory: Path, servers_dir: Path, tell: Tell) -> Report:
    """On a cluster of its own. Raises TouchlineError where that does not even start."""
    secret = secrets.token_hex(32)
    direct, rings = not wanted.faults, str(_RING_BYTES)
    cluster = Cluster(directory, servers_dir, direct=direct, AUTH_SECRET=secret, EDGE_RING_BYTES=rings)
    try:
        tell("starting Kafka, Elasticsearch, and every role")
        await asyncio.to_thread(cluster.start)
        if not wanted.faults:
            return await besiege(wanted, cluster, tell)
        return await _with_faults(wanted, cluster, tell)
    finally:
        await asyncio.to_thread(cluster.close)


async def _with_faults(wanted: Plan, cluster: Cluster, tell: Tell) -> Report:
    """Who is struck may be away: of the findings those count that are left when it is over."""
    blows, faults = plan_faults(wanted.seed, wanted.seconds), Faults(cluster, tell)
    carried_out = asyncio.create_task(faults.carry_out(blows))
    striking = [carried_out, asyncio.create_task(faults.supervise())]
    try:
        return await besiege(wanted, cluster, tell, until=carried_out)
    finally:
        for task in striking:
            task.cancel()
        await asyncio.gather(*striking, return_exceptions=True)


async def besiege(
    wanted: Plan, ground: Ground, tell: Tell, until: "asyncio.Task[None] | None" = None
) -> Report:
    """The attackers against a pipeline that runs, with `settings.auth.secret`.

    Faults go on `until` that is done."""
    settings = ground.settings
    canaries = Canaries(ground.gateway_url, ground.edge_urls, settings.auth.secret)
    watchman, meter = Watchman(ground, supervises=not wanted.faults), Meter()
    watchman.start()
    onlooker = Onlooker()
    await onlooker.start()

    def since(outcome: Outcome) -> Phase:
        took = meter.fresh({**ground.pids(), _HARNESS: [os.getpid()]}, beside=(_HARNESS,))
        phase = _since(canaries, watchman, took, outcome)
        phase.machine_ms = p99(onlooker.fresh()) or 0.0
        return phase

    singing = asyncio.create_task(canaries.run())
    target = Target(
        gateway=ground.gateway_url, edges=tuple(ground.edge_urls), kafka=settings.kafka.bootstrap_servers,
        prefix=settings.topics.prefix, secret=settings.auth.secret,
    )  # fmt: skip
    try:
        last = Phase()
        for _ in range(_WARM_UPS):  # what a start brings with it
            await asyncio.sleep(wanted.peace_s)
            last, before_it = since(Outcome()), last
            if before_it.requests and not faster(last, before_it):
                break
        stalls = await asyncio.to_thread(watchman.stalls)
        await asyncio.sleep(wanted.peace_s)
        report = Report(peace=since(Outcome()), bounds=wanted.bounds, struck=wanted.faults)
        tell(report.lines()[0])
        turns = phases(wanted)
        for names, seconds in zip(turns, shares(wanted, turns), strict=True):
            orders = Orders(target=target, names=names, seconds=seconds)
            before = watchman.deaths.copy()
            outcome = await _strike(orders)
            _raise_if_ended(singing)
            phase = since(outcome)
            phase.attackers, phase.seconds = names, seconds
            phase.refused = [name for name in names if ATTACKERS[name].refused]
            phase.used = {**phase.used, "attackers": outcome.used_s / seconds}
            phase.deaths = dict(watchman.deaths - before)
            now = await asyncio.to_thread(watchman.stalls)
            phase.stalls = {role: n - stalls.get(role, 0.0) for role, n in now.items()}
            stalls = {**stalls, **now}  # of one that did not say what it last said holds
            report.phases.append(phase)
            for line in msgspec.structs.replace(report, phases=[phase]).lines()[1:]:
                tell(line)
        if until is not None:
            await asyncio.wait([until], timeout=_STRUCK_S)
        await _rest(ground, canaries, report)
        return report
    finally:
        singing.cancel()
        await asyncio.gather(singing, return_exceptions=True)
        await onlooker.stop()
        await asyncio.to_thread(watchman.stop)


async def _strike(orders: Orders) -> Outcome:
    """The attackers, in a process of their own."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", f"{__package__}.strike"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        # Nothing of whoever runs this: attackers are told all that they know.
        env={name: value for name, value in os.environ.items() if not name.startswith(PREFIX)},
    )
    try:
        async with asyncio.timeout(orders.seconds + 30):
            out, _ = await process.communicate(msgspec.json.encode(orders))
        return msgspec.json.decode(out, type=Outcome) if out else Outcome()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def faster(now: Phase, before: Phase) -> bool:
    """Whether requests take clearly less than they did: it was no peace yet."""
    return any(ms < _CALM * before.request_p99_ms.get(what, 0.0) for what, ms in now.request_p99_ms.items())


def _since(canaries: Canaries, watchman: Watchman, took: Taken, outcome: Outcome) -> Phase:
    delays, asked, failed = canaries.fresh()
    slowest, megabytes = watchman.fresh()
    return Phase(
        delay_p99_ms=p99(delays),
        request_p99_ms={what: p99(took) or 0.0 for what, took in sorted(asked.items())},
        requests=sum(map(len, asked.values())),
        failed=failed,
        slowest_ms=slowest,
        megabytes=megabytes,
        used=took.used,
        waited=took.waited,
        stretched=took.stretched,
        answers=outcome.answers,
    )


async def _rest(ground: Ground, canaries: Canaries, report: Report) -> None:
    """Wait until everybody is ready and has seen everything; what is missing when the time is up."""
    loop = asyncio.get_running_loop()
    until = loop.time() + _REST_S * (2 if report.struck else 1)
    while True:
        report.unseen = canaries.unseen(_SEEN_S)
        report.away = [
            role for role in ground.operators if not await asyncio.to_thread(ground.is_ready, role)
        ]
        if not (report.unseen or report.away) or loop.time() >= until:
            return
        await asyncio.sleep(0.5)


def _raise_if_ended(task: "asyncio.Task[None]") -> None:
    if task.done():
        task.result()
