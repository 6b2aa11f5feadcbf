"""`touchline edge --processes N`: viewers are spread over processes, and see one edge."""

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from websockets.exceptions import InvalidStatus

from tests.consumers.bare import Bare, bare
from tests.consumers.crowd import crowd, each_has
from tests.consumers.edges import EPOCH, EdgeProcess, Fanout, edges
from tests.pipeline import eventually

PROCESSES = 2


def children(edge: EdgeProcess) -> list[int]:
    with contextlib.suppress(psutil.NoSuchProcess):
        return [child.pid for child in psutil.Process(edge.process.pid).children()]
    return []


@pytest.fixture
def several(kafka_servers: str, tmp_path: Path) -> Iterator[tuple[Fanout, EdgeProcess]]:
    """An edge of several processes; none of them is left behind, whatever the test does to the first."""
    given = {"drain_s": 2, "reconnect_jitter_ms": 200}
    with edges(kafka_servers, tmp_path, more=["--processes", str(PROCESSES)], **given) as (fanout, (edge,)):
        started = eventually(
            "all processes", lambda: kids if len(kids := children(edge)) == PROCESSES else None
        )
        yield fanout, edge
        edge.kill(signal.SIGTERM)
        try:
            eventually("they have left", lambda: not any(map(psutil.pid_exists, started)))
        finally:
            for pid in started:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def replaced(edge: EdgeProcess, victim: int) -> None:
    eventually("another one in its place", lambda: len(set(children(edge)) - {victim}) == PROCESSES)


async def spread(edge: EdgeProcess, stack: contextlib.AsyncExitStack, stream: str) -> dict[str, list[Bare]]:
    """Viewers of a stream, until each process has four; by the name of the process's edge."""
    found: dict[str, list[Bare]] = {}
    async with asyncio.timeout(60):
        while len(found) < PROCESSES or min(map(len, found.values())) < 4:
            try:
                client, welcome = await stack.enter_async_context(bare(edge.url))
            except InvalidStatus:  # this one is not ready yet
                await asyncio.sleep(0.1)
                continue
            await client.say(op="subscribe", id=1, stream=stream, after=EPOCH - 1)
            await client.hear("subscribed")
            found.setdefault(welcome["edge"], []).append(client)
    return found


async def test_each_viewer_of_any_process_sees_each_event_once_and_how_many_they_are(
    several: tuple[Fanout, EdgeProcess],
) -> None:
    fanout, edge = several
    async with contextlib.AsyncExitStack() as stack:
        by_process = await spread(edge, stack, "chat:shared")
        assert sorted(by_process) == [f"127.0.0.1:{edge.port}/{n}" for n in range(1, PROCESSES + 1)]
        viewers = [viewer for some in by_process.values() for viewer in some]
        for _ in range(10):
            await asyncio.to_thread(fanout.write, "chat:shared", 20)
        written = fanout.written["chat:shared"]
        for viewer in viewers:
            assert [(await viewer.hear("event"))["seq"] for _ in written] == written
        for some in by_process.values():
            async with asyncio.timeout(60):
                count = 0
                while count != len(viewers):
                    await asyncio.sleep(0.2)
                    await some[0].say(op="presence", id=7, stream="chat:shared")
                    while (said := await some[0].any()).get("id") != 7:
                        assert said["op"] == "presence", f"an event came twice: {said}"
                    count = said["viewers"]


async def test_whose_process_is_killed_comes_back_to_another_and_misses_nothing(
    several: tuple[Fanout, EdgeProcess],
) -> None:
    fanout, edge = several
    before = children(edge)
    fanout.write("chat:killed", 1)
    async with crowd("chat:killed", 12, lambda _: [edge.url]) as seen:
        await each_has(seen, 1)
        for victim in before:
            await asyncio.to_thread(fanout.write, "chat:killed", 10)
            os.kill(victim, signal.SIGKILL)
            await asyncio.to_thread(fanout.write, "chat:killed", 10)
            await asyncio.to_thread(replaced, edge, victim)
        written = fanout.written["chat:killed"]
        await each_has(seen, len(written))
    assert all(got == written for got in seen)
    assert await asyncio.to_thread(edge.kill, signal.SIGTERM) == 0


async def test_all_processes_leave_together_whichever_is_asked_to_drain(
    several: tuple[Fanout, EdgeProcess],
) -> None:
    _, edge = several
    started = children(edge)
    async with contextlib.AsyncExitStack() as stack:
        by_process = await spread(edge, stack, "chat:leaving")
        command = await asyncio.create_subprocess_exec("curl", "-sf", "-XPOST", f"{edge.http}/v1/drain")
        assert await command.wait() == 0
        for viewer in (viewer for some in by_process.values() for viewer in some):
            assert (await viewer.hear("drain"))["deadline_ms"] == 2000
    assert await asyncio.to_thread(edge.process.wait, 60) == 0
    assert not any(map(psutil.pid_exists, started))


async def test_processes_whose_first_is_killed_leave_and_the_port_is_free(
    several: tuple[Fanout, EdgeProcess],
) -> None:
    """Whoever starts the edge again would have old ones beside the new, under the same names."""
    _, edge = several
    started = children(edge)
    async with contextlib.AsyncExitStack() as stack:
        by_process = await spread(edge, stack, "chat:orphans")
        edge.kill(signal.SIGKILL)
        for viewer in (viewer for some in by_process.values() for viewer in some):
            await viewer.hear("drain")
    await asyncio.to_thread(eventually, "all have left", lambda: not any(map(psutil.pid_exists, started)))
    await asyncio.to_thread(edge.restart)
    async with contextlib.AsyncExitStack() as stack:
        assert len(await spread(edge, stack, "chat:orphans")) == PROCESSES


@pytest.mark.parametrize(
    ("given", "said"),
    [({"cell": "a"}, "do not go together"), ({"tls_cert": "/nowhere"}, "ended with code 1 at once")],
    ids=["in a cell", "what no process can do"],
)
def test_what_cannot_begin_ends_with_a_sentence_instead_of_beginning_again_for_ever(
    kafka_servers: str, tmp_path: Path, given: dict[str, str], said: str
) -> None:
    with edges(kafka_servers, tmp_path, 0) as (fanout, _):
        edge = EdgeProcess(fanout.settings, tmp_path, more=["--processes", "2"], **given)
        try:
            assert edge.process.wait(90) == 1
        except subprocess.TimeoutExpired:
            pytest.fail(edge.log)
        finally:
            edge.kill()
        assert said in edge.log
