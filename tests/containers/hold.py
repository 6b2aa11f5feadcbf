"""What `make containers` does: brings the compose file up, breaks parts of it under load, and compares."""

import asyncio
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.request import urlopen

from chaos.run import AWAY
from tests.containers.alarms import try_alerts
from tests.containers.compose import IMAGE, ROOT, Compose, compose_images, compose_program
from tests.containers.daemon import Daemon, daemon
from tests.containers.jobs import Job, do
from tests.containers.people import People
from tests.containers.standins import build, dockerfile_images, plan

#: The image carries all that runs, and no server that is another's.
MOST_MB: Final = 250
_READY_S: Final = 360.0
Tell = Callable[[str], None]


class NotHeldError(Exception):
    """Something that must hold does not; with the sentence that says what."""


def hold(tell: Tell, *, minutes: float = 0.0, secure: bool = False, alerts: bool = False) -> None:
    """All of it. Raises where something does not hold; nothing is left running."""
    with daemon() as docker, tempfile.TemporaryDirectory(prefix="touchline-containers-") as name:
        tell(f"a Docker daemon {'of our own is ready' if docker.own else 'answers'} ({docker.host})")
        compose = Compose(docker, Path(name), secure=secure)
        with _told(tell, "images"):
            compose.without = images(docker, tell)
        for image in sorted(compose.without):
            tell(f"{image} can neither be pulled nor be made: what runs it is left out")
        _check_image(docker, tell)
        _check_env(compose)
        tell("a wrong .env is told in a sentence")
        try:
            with compose.killed_for_memory() as killed:
                asyncio.run(_run(compose, tell, minutes, alerts=alerts))
                _check_memory(killed())
        except BaseException:
            tell(compose.logs())
            raise
        finally:
            compose.down(volumes=True)
            if docker.own:  # copies of states, of containers that were replaced
                docker.docker("volume", "prune", "--force")


def images(docker: Daemon, tell: Tell) -> frozenset[str]:
    """All images, and the program that drives them; what cannot be had is handed back."""
    jobs, without = plan(docker, [*dockerfile_images(), *compose_images()], tell)
    own = Job(IMAGE, dockerfile_images(), lambda: build(docker, IMAGE, ROOT))
    do([Job("Compose 2", (), lambda: compose_program(docker)), *jobs, own], tell)
    return without


def _check_image(docker: Daemon, tell: Tell) -> None:
    found = json.loads(docker.docker("inspect", IMAGE))[0]
    size = found["Size"] / 1e6
    tell(f"the image has {size:.0f} MB, and its user is {found['Config']['User']}")
    if size > MOST_MB:
        raise NotHeldError(f"The image has {size:.0f} MB, and may have {MOST_MB}.")
    if found["Config"]["User"] in ("", "root", "0"):
        raise NotHeldError("The image runs as root.")


def _check_env(compose: Compose) -> None:
    """Without a secret nothing starts, and the sentence names what is missing."""
    for name in ("TOUCHLINE_AUTH_SECRET", "TOUCHLINE_AUTH_INTERNAL_SECRET"):
        try:
            compose("config", "--quiet", env=compose.variables | {name: ""})
        except RuntimeError as error:
            if name in str(error) and "example.env" in str(error):
                continue
            raise NotHeldError(f"Without {name} compose says: {error}") from None
        raise NotHeldError(f"Without {name} compose says nothing.")


async def _run(compose: Compose, tell: Tell, minutes: float, *, alerts: bool) -> None:
    with _told(tell, "up"):
        if compose.secure:
            await asyncio.to_thread(compose.give_key)
        await asyncio.to_thread(compose.up)
    token = compose("run", "--rm", "-T", "cli", "token", "shaken", *_GRANTS).strip().splitlines()[-1]
    # Viewers make their own TLS contexts, of what OpenSSL finds by this name.
    os.environ["SSL_CERT_FILE"] = str(compose.certificate)
    people = People(compose.url, compose.edges, compose.certificate, token)
    await _check_doors(people)
    async with people.at_work():
        took = await people.proceed(100, 240)
        tell(f"100 events were posted in {took:.1f} s through the balancer, and are watched")
        await _check_prometheus(compose, tell)
        await _check_canary(compose, tell)
        if alerts:
            await try_alerts(compose, people, tell)
        elif not compose.secure:
            await _shake(compose, people, tell)
        until = time.monotonic() + 60 * minutes
        while time.monotonic() < until:
            await people.proceed(100, 240)
        with _told(tell, "everybody arrives, and all is compared"):
            findings = await people.findings()
    wrong = [f"{promise}: {sentence}" for promise, found in findings.items() for sentence in found]
    if wrong:
        raise NotHeldError("\n".join(wrong))
    tell(f"{people.acknowledged} events acknowledged, {people.shown} shown to viewers: {', '.join(findings)}")
    if compose.secure or alerts:
        return
    before = await people.past()
    with _told(tell, "down and up"):
        await asyncio.to_thread(compose.down, volumes=False)
        await asyncio.to_thread(compose.up)
    if await people.past() != before:
        raise NotHeldError("After `down` and `up` history is not what it was.")
    await _check_lag(compose)
    tell(f"down and up kept {sum(map(len, before.values()))} events")


_GRANTS: Final = (
    "--can",
    "publish",
    "--can",
    "subscribe",
    "--can",
    "history",
    "--can",
    "search",
    "--can",
    "admin",
)


async def _check_doors(people: People) -> None:
    """What may be asked from outside, and what not."""
    for path, wanted in (("/", 200), ("/client.js", 200), ("/metrics", 404), ("/readyz", 404)):
        await _answers(people, path, wanted)
    async with people.session() as http:
        url = "/v1/streams/chat/arena-0/events"
        async with http.get(f"{people.url}{url}", headers={"Authorization": "Bearer nobody"}) as answer:
            if answer.status != 401:
                raise NotHeldError(f"{url} answers {answer.status} to a token that is none, not 401.")


async def _answers(people: People, path: str, wanted: int) -> None:
    """Wait for this answer: all are well, and the balancer, which asks them itself, knows it a moment later.

    What may not be asked is answered so at once.
    """
    deadline = time.monotonic() + 60
    while (status := await people.status(path)) != wanted:
        if status != HTTPStatus.SERVICE_UNAVAILABLE or time.monotonic() > deadline:
            raise NotHeldError(f"{path} answers {status} from outside, not {wanted}.")
        await asyncio.sleep(0.5)


async def _check_prometheus(compose: Compose, tell: Tell) -> None:
    """It reaches every role, and its rules are loaded."""

    def down() -> list[str]:
        targets = _asked(f"{compose.prometheus}/api/v1/targets")["activeTargets"]
        away = [f"{t['labels']['job']}: {t['lastError']}" for t in targets if t["health"] != "up"]
        jobs = {t["labels"]["job"] for t in targets}
        missing = {"stream", "edge", "indexer", "gateway", "balancer"} - jobs
        return away + [f"{job} is not asked" for job in sorted(missing)]

    await _wait(lambda: not down(), "Prometheus reaches every role", lambda: "; ".join(down()))
    rules = _asked(f"{compose.prometheus}/api/v1/rules")["groups"]
    count = sum(len(group["rules"]) for group in rules)
    if not count:
        raise NotHeldError("Prometheus has loaded no rule.")
    tell(f"Prometheus reaches every role, and has {count} rules")


async def _check_canary(compose: Compose, tell: Tell) -> None:
    """The canary sees its probes at both edges, and finds them."""
    asked = f"{compose.prometheus}/api/v1/query?query="

    def arrived(metric: str) -> int:
        return sum(float(s["value"][1]) > 0 for s in _asked(f"{asked}{metric}_count")["result"])

    await _wait(lambda: arrived("touchline_canary_seen_seconds") == 2, "the canary's probes at both edges")
    await _wait(lambda: arrived("touchline_canary_found_seconds") == 1, "the canary's probes in search")
    tell("the canary's probes arrive at both edges, and in search")


async def _check_lag(compose: Compose) -> None:
    """Nothing is posted, and all was indexed: who has just been started has nothing to do, and says so."""
    query = f"{compose.prometheus}/api/v1/query?query=touchline_consumer_lag%7Bjob%3D%22indexer%22%7D"

    def told() -> list[float]:
        return [float(sample["value"][1]) for sample in _asked(query)["result"]]

    # A probe of the canary may be under way just then. A lag that is not true stays.
    await _wait(
        lambda: bool(lags := told()) and not any(lags),
        "the indexer says that all is indexed",
        lambda: str(told()),
    )


async def _shake(compose: Compose, people: People, tell: Tell) -> None:
    """One after the other, under load."""
    for service, what in (
        ("kafka-2", "a broker"),
        ("stream", "a worker"),
        ("edge-1", "an edge"),
        ("indexer", "the indexer"),
        ("gateway", "the gateway"),
    ):
        await asyncio.to_thread(compose.kill, service)
        took = await people.proceed(60, 240)
        await _wait(lambda s=service: compose.healthy(s), f"{service} is well again")  # type: ignore[misc]
        tell(f"kill -9 of {what}: 60 events more were taken within {took:.1f} s, and it came back")
    begun = time.monotonic()
    await asyncio.to_thread(compose, "stop", "edge-2")
    took = time.monotonic() - begun
    ended = compose.containers("edge-2")[0]["State"]
    if ended["ExitCode"] != 0:
        raise NotHeldError(f"SIGTERM ended edge-2 with exit code {ended['ExitCode']} after {took:.0f} s.")
    tell(f"SIGTERM drained edge-2 within {took:.1f} s, exit code 0")
    await asyncio.to_thread(compose, "start", "edge-2")
    await asyncio.to_thread(compose.up, "--no-recreate", "--scale", "stream=4")
    took = await people.proceed(60, 240)
    if (count := len(compose.containers("stream"))) != 4:
        raise NotHeldError(f"--scale stream=4 gave {count} workers.")
    tell(f"four workers share the partitions; 60 events more within {took:.1f} s")
    await asyncio.to_thread(compose.up, "--no-recreate")


def _check_memory(killed: set[str]) -> None:
    if killed:
        raise NotHeldError(f"Killed for their memory: {', '.join(sorted(killed))}.")


async def _wait(condition: Callable[[], bool], what: str, why: Callable[[], str] = lambda: "") -> None:
    deadline = time.monotonic() + _READY_S
    while True:
        try:
            if await asyncio.to_thread(condition):
                return
        except (*AWAY, RuntimeError):  # nobody answers, or Docker is asked of what is gone just then
            pass
        if time.monotonic() > deadline:
            raise NotHeldError(f"Not within {_READY_S:.0f} s: {what}. {why()}")
        await asyncio.sleep(0.5)


def _asked(url: str) -> Any:
    with urlopen(url, timeout=60) as answer:
        return json.load(answer)["data"]


@contextmanager
def _told(tell: Tell, what: str) -> Iterator[None]:
    begun = time.monotonic()
    yield
    tell(f"{what}: {time.monotonic() - begun:.0f} s")
