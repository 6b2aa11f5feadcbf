"""`touchline up` as a user meets it: real servers, and roles that only say that they are ready."""

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

from embedded.ports import find_free
from kernel.settings import PREFIX
from tests.servers import data_directory, servers_dir, wait_until

ROOT = Path(__file__).parents[2]
#: Python imports this at each start: it puts ROLE in the place of the roles' commands.
SITECUSTOMIZE = """
import importlib.util, sys
class Roles:
    def find_spec(self, name, path=None, target=None):
        if name.rpartition(".")[0] == "touchline.commands" and name.rpartition(".")[2] in ROLES:
            return importlib.util.spec_from_file_location(name, __file__.replace("sitecustomize", "role"))
ROLES = {"stream", "edge", "index", "gateway"}
sys.meta_path.insert(0, Roles())
"""
ROLE = """
import os, sys, click
from kernel.health import Health
from kernel.lifecycle import run_role
from kernel.ops import OpsServer
from kernel.settings import load_settings
@click.command()
def command():
    name = sys.argv[1]
    section = getattr(load_settings(), {"index": "indexer"}.get(name, name))
    async def main(stop):
        if name == os.environ.get("FAILS"):
            sys.exit("the reason")
        server = OpsServer(Health(), section.host, section.port)
        await server.start()
        await stop.wait()
        await server.stop()
    return run_role(main)
"""


class Machine:
    """A user's machine: a data directory, ports of its own, and the command line."""

    def __init__(self, directory: Path, tools: Path) -> None:
        self.directory = directory / "data"
        (tools / "sitecustomize.py").write_text(SITECUSTOMIZE)
        (tools / "role.py").write_text(ROLE)
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
            "PYTHONPATH": f"{tools}:{ROOT}",
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
            timeout=150,
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
def machine(tmp_path: Path) -> Iterator[Machine]:
    with data_directory() as directory:
        found = Machine(directory, tmp_path)
        yield found
        for process in found.processes():
            with contextlib.suppress(psutil.Error):
                process.kill()
        wait_until(found.is_quiet, what="the end of all processes")


@pytest.mark.servers
@pytest.mark.slow
def test_up_heals_survives_and_goes_down(machine: Machine) -> None:
    up = machine.run("up", "--detach", "--edges", "2")
    assert up.returncode == 0, up.stderr
    assert f"http://127.0.0.1:{machine.ports['GATEWAY']}/ops" in up.stdout
    assert "publish broadcast:demo" in up.stdout
    roles = machine.roles()
    assert list(roles) == ["kafka", "elasticsearch", "stream", "index", "edge-1", "edge-2", "gateway"]
    assert {role["state"] for role in roles.values()} == {"ready"}

    again = machine.run("up")
    assert again.returncode == 0
    assert "is up already" in again.stdout
    assert f"127.0.0.1:{machine.ports['EMBEDDED_KAFKA']}" in again.stdout

    os.kill(roles["edge-2"]["pid"], signal.SIGKILL)

    def is_healed() -> bool:
        edge, before = machine.roles()["edge-2"], roles["edge-2"]
        return (edge["restarts"], edge["state"]) == (1, "ready") and edge["pid"] != before["pid"]

    wait_until(is_healed, what="the edge", timeout_seconds=10)
    assert "the last one ended with SIGKILL" in " ".join(machine.run("status").stdout.split())

    supervisor = int((machine.directory / "run" / "lock").read_text())
    os.kill(supervisor, signal.SIGKILL)
    assert machine.run("status").returncode == 1
    up = machine.run("up", "--detach")
    assert up.returncode == 0, up.stderr
    down = machine.run("down")
    assert down.returncode == 0
    assert machine.is_quiet()


@pytest.mark.servers
@pytest.mark.slow
def test_a_role_that_cannot_start_is_said_and_nothing_stays(machine: Machine) -> None:
    up = machine.run("up", "--detach", FAILS="stream")
    assert up.returncode == 1
    assert "stream ended with exit code 1 while the pipeline was being started" in up.stderr
    assert "  | the reason" in up.stderr
    assert "Traceback" not in up.stderr
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
    assert child.wait(60) in {0, 1}
    os.close(terminal)
    assert machine.is_quiet()


def test_a_taken_port_is_a_sentence_and_starts_nothing(machine: Machine) -> None:
    with socket.create_server(("127.0.0.1", machine.ports["EDGE"])):
        began = time.monotonic()
        for arguments in (["up"], ["up", "--detach"]):
            up = machine.run(*arguments)
            assert up.returncode == 1
            assert f"Port {machine.ports['EDGE']}, which edge needs, is taken by" in up.stderr
            assert "set TOUCHLINE_EDGE_PORT" in up.stderr
            assert "Traceback" not in up.stderr
        assert time.monotonic() - began < 30
    assert machine.is_quiet()


def test_wrong_use_exits_2(machine: Machine) -> None:
    assert machine.run("up", "--edges", "0").returncode == 2
    assert machine.run("up", TOUCHLINE_EDGE_PROT="1").returncode == 2
