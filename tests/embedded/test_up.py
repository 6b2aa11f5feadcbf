"""`touchline up` as a user meets it: starts all, heals what dies, keeps what was said, leaves nothing."""

import asyncio
import contextlib
import json
import os
import pty
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from aiohttp import ClientSession

from embedded.ports import find_free
from kernel.settings.reading import PREFIX
from tests.consumers.bare import bare
from tests.servers import data_directory, servers_dir, wait_until

ROOT = Path(__file__).parents[2]
#: The roles of Touchline's own: each is killed once.
OURS = ("stream", "index", "edge-1", "edge-2", "outbox", "gateway")


class Machine:
    """A user's machine: a data directory, ports of its own, and the command line."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory / "data"
        taken: set[int] = set()
        names = ("EMBEDDED_KAFKA", "EMBEDDED_ELASTICSEARCH", "STREAM", "INDEXER", "GATEWAY", "EDGE")
        for _ in names:
            taken.add(find_free(avoid=taken))
        self.ports = dict(zip(names, sorted(taken), strict=True))
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(PREFIX)},
            **{f"{PREFIX}{name}_PORT": str(port) for name, port in self.ports.items()},
            f"{PREFIX}EMBEDDED_SERVERS_DIR": str(servers_dir()),
            f"{PREFIX}EMBEDDED_DATA_DIR": str(self.directory),
            "PYTHONPATH": str(ROOT),
        }

    def argv(self, *arguments: str) -> list[str]:
        return [sys.executable, "-P", "-m", "touchline", *arguments]

    def run(self, *arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            self.argv(*arguments),
            env={**self.environment, **more},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def roles(self) -> dict[str, dict[str, Any]]:
        answer = json.loads(self.run("status", "--json").stdout)
        return {role["name"]: role for role in answer["roles"]}

    def processes(self) -> list[psutil.Process]:
        """All that run with this data directory, found without asking Touchline."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                mine = process.environ().get(f"{PREFIX}EMBEDDED_DATA_DIR") == str(self.directory)
                if mine or str(self.directory) in " ".join(process.cmdline()):
                    found.append(process)
        return found

    def is_quiet(self) -> bool:
        return self.processes() == []


@pytest.fixture
def machine() -> Iterator[Machine]:
    with data_directory() as directory:
        found = Machine(directory)
        yield found
        for process in found.processes():
            with contextlib.suppress(psutil.Error):
                process.kill()
        wait_until(found.is_quiet, what="the end of all processes")


def up(machine: Machine, *arguments: str) -> str:
    """`touchline up --detach`, which has to succeed; what it shows."""
    done = machine.run("up", "--detach", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def texts(machine: Machine, count: int) -> list[str]:
    """The texts of the last events of the stream, as a viewer sees them."""
    watched = machine.run("watch", "chat:up", "--last", "10", "--count", str(count), "--for", "60s", "--json")
    return [json.loads(line)["data"]["text"] for line in watched.stdout.splitlines()]


async def waits(machine: Machine, *said: str) -> list[float]:
    """How long each of these takes from being posted over HTTP until a viewer sees it."""
    url = f"http://127.0.0.1:{machine.ports['GATEWAY']}/v1/streams/chat/up/events"
    found = []
    async with (
        ClientSession() as http,
        bare(f"ws://127.0.0.1:{machine.ports['EDGE']}/v1/ws") as (client, _),
    ):
        await client.say(op="subscribe", id=1, stream="chat:up")
        await client.hear("subscribed")
        for text in said:
            began = time.monotonic()
            async with http.post(url, json={"data": {"text": text}}) as answer:
                assert answer.status == 202
            event = await client.hear("event")
            found.append(time.monotonic() - began)
            assert event["data"]["text"] == text
    return found


@pytest.mark.servers
@pytest.mark.slow
@pytest.mark.timeout(590)
def test_up_starts_all_heals_what_dies_and_keeps_what_was_said(machine: Machine) -> None:
    shown = up(machine, "--edges", "2")
    assert f"http://127.0.0.1:{machine.ports['GATEWAY']}/ops" in shown
    assert "publish broadcast:demo" in shown
    before = machine.roles()
    assert list(before) == ["kafka", "elasticsearch", *OURS]
    assert {role["state"] for role in before.values()} == {"ready"}

    again = machine.run("up")
    assert again.returncode == 0
    assert "is up already" in again.stdout
    assert f"127.0.0.1:{machine.ports['EMBEDDED_KAFKA']}" in again.stdout

    assert machine.run("publish", "chat:up", "--text", "before").returncode == 0
    assert texts(machine, 1) == ["before"]
    for name in OURS:
        os.kill(before[name]["pid"], signal.SIGKILL)

    def are_healed() -> bool:
        now = machine.roles()
        return all(
            (now[n]["state"], now[n]["restarts"]) == ("ready", 1) and now[n]["pid"] != before[n]["pid"]
            for n in OURS
        )

    wait_until(are_healed, what="all roles to be ready again", timeout_seconds=180)
    assert "the last one ended with SIGKILL" in " ".join(machine.run("status").stdout.split())
    assert machine.run("publish", "chat:up", "--text", "after").returncode == 0
    assert texts(machine, 2) == ["before", "after"]

    took: list[tuple[float, float]] = []
    for _ in range(3):  # where something else had the processor at that moment, once more
        assert machine.run("down").returncode == 0
        assert machine.is_quiet()
        up(machine)
        # Ready means that it works, also on old data: what is posted now is seen as soon as what is posted
        # later.
        at_once, later = asyncio.run(waits(machine, "at once", "later"))
        took.append((at_once, later))
        if at_once < max(1.0, 5 * later):
            break
    assert any(at_once < max(1.0, 5 * later) for at_once, later in took), took
    assert texts(machine, 2)[:2] == ["before", "after"]

    def is_found() -> bool:
        hits = json.loads(machine.run("search", "after", "--json").stdout)["hits"]
        return [hit["event"]["data"]["text"] for hit in hits] == ["after"]

    wait_until(is_found, what="what was said to be found")

    supervisor = int((machine.directory / "run" / "lock").read_text())
    os.kill(supervisor, signal.SIGKILL)
    wait_until(machine.is_quiet, what="the end of all that the supervisor had started")
    assert machine.run("status").returncode == 1


@pytest.mark.servers
@pytest.mark.slow
def test_a_role_that_cannot_start_is_said_and_nothing_stays(machine: Machine) -> None:
    failed = machine.run(
        "up", "--detach", TOUCHLINE_EDGE_TLS_CERT="nowhere.pem", TOUCHLINE_EDGE_TLS_KEY="nowhere.pem"
    )
    assert failed.returncode == 1
    assert "edge ended with exit code 1 while the pipeline was being started" in failed.stderr
    assert "nowhere.pem" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert machine.is_quiet()


@pytest.mark.servers
@pytest.mark.slow
@pytest.mark.parametrize("detach", [False, True])
def test_ctrl_c_while_it_starts_leaves_nothing(machine: Machine, detach: bool) -> None:
    arguments = ["up", "--detach"] if detach else ["up"]
    terminal, slave = pty.openpty()
    child = subprocess.Popen(
        machine.argv(*arguments),
        env=machine.environment,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    shown = b""
    while b"starting" not in shown:
        shown += os.read(terminal, 4096)
    os.kill(child.pid, signal.SIGINT)
    with contextlib.suppress(OSError):  # a terminal that nobody holds any more
        while os.read(terminal, 4096):
            pass
    assert child.wait(120) in {0, 1}
    os.close(terminal)
    assert machine.is_quiet()


def test_a_taken_port_is_a_sentence_and_starts_nothing(machine: Machine) -> None:
    with socket.create_server(("127.0.0.1", machine.ports["EDGE"])):
        began = time.monotonic()
        for arguments in (["up"], ["up", "--detach"]):
            refused = machine.run(*arguments)
            assert refused.returncode == 1
            assert f"Port {machine.ports['EDGE']}, which edge needs, is taken by" in refused.stderr
            assert "set TOUCHLINE_EDGE_PORT" in refused.stderr
            assert "Traceback" not in refused.stderr
        assert time.monotonic() - began < 60
    assert machine.is_quiet()


def test_wrong_use_exits_2(machine: Machine) -> None:
    assert machine.run("up", "--edges", "0").returncode == 2
    assert machine.run("up", TOUCHLINE_EDGE_PROT="1").returncode == 2
