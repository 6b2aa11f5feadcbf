"""`status` and `down` tell what is, not what was."""

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from embedded import down, ports, status
from embedded.datadir import DataDirectory
from embedded.supervision import state
from embedded.supervision.state import Addresses, ProcessState, State
from kernel.process.health import Health
from kernel.process.metrics import CONSUMER_LAG
from kernel.process.ops_port import OpsServer
from kernel.version import VERSION
from touchline.cli import cli, run

ADDRESSES = Addresses("127.0.0.1:19092", "http://127.0.0.1:19200", "http://127.0.0.1:18080", ("ws://e",))


@pytest.fixture
def directory(tmp_path: Path) -> DataDirectory:
    found = DataDirectory(tmp_path)
    found.prepare()
    return found


@pytest.fixture
def role() -> Iterator[tuple[Health, str]]:
    """A role's operator port, served by a thread."""
    health, port = Health("kafka"), ports.find_free()
    started, stop = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        server = OpsServer(health, "127.0.0.1", port)
        await server.start()
        started.set()
        await stop.wait()
        await server.stop()

    def work() -> None:
        loop.run_until_complete(serve())
        loop.close()

    thread = threading.Thread(target=work)
    thread.start()
    assert started.wait(60)
    yield health, f"http://127.0.0.1:{port}"
    loop.call_soon_threadsafe(stop.set)
    thread.join()


def write(directory: DataDirectory, *processes: ProcessState) -> None:
    me = state.identify(os.getpid())
    assert me is not None
    state.write(directory.state_file, State(me, "up", ADDRESSES, processes))


def one_line(directory: DataDirectory, process: ProcessState) -> status.Line:
    write(directory, process)
    with directory.locked():
        found = status.look(directory)
    assert found is not None
    (line,) = found.lines
    return line


def test_where_nobody_holds_the_lock_nothing_runs(directory: DataDirectory) -> None:
    write(directory)
    assert status.look(directory) is None


def test_a_role_says_itself_whether_it_is_ready(directory: DataDirectory, role: tuple[Health, str]) -> None:
    health, url = role
    process = ProcessState("index", "ready", state.identify(os.getpid()), 1, operator_url=url)
    line = one_line(directory, process)
    assert (line.state, line.detail) == ("not ready", "kafka: not yet")
    health.ok("kafka")
    CONSUMER_LAG.labels("of-this-test", "0").set(12)
    line = one_line(directory, process)
    assert (line.state, line.pid) == ("ready", os.getpid())
    assert line.lag is not None
    assert line.lag >= 12


def test_a_role_that_does_not_answer_is_silent(directory: DataDirectory) -> None:
    url = f"http://127.0.0.1:{ports.find_free()}"
    line = one_line(directory, ProcessState("edge", "ready", state.identify(os.getpid()), operator_url=url))
    assert line.state == "silent"


def test_a_process_that_has_just_died_is_not_called_ready(directory: DataDirectory) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        identity = state.identify(child.pid)
        child.kill()
    assert one_line(directory, ProcessState("edge", "ready", identity)).state == "ended"


def test_what_the_last_one_died_of_is_told(directory: DataDirectory) -> None:
    line = one_line(
        directory, ProcessState("kafka", "restarting", None, restarts=3, last_end="ended with SIGKILL")
    )
    assert (line.state, line.restarts, line.detail) == ("restarting", 3, "the last one ended with SIGKILL")


def test_the_command_prints_the_public_json(directory: DataDirectory) -> None:
    write(
        directory,
        ProcessState("kafka", "ready", state.identify(os.getpid()), 19092),
        ProcessState("topics", "done"),
    )
    with directory.locked():
        result = CliRunner().invoke(cli, ["status", "--json", "--data-dir", str(directory.path)])
    answer = json.loads(result.stdout)
    assert {key: answer[key] for key in ("version", "kafka", "elasticsearch", "gateway", "edges")} == {
        "version": VERSION,
        "kafka": "127.0.0.1:19092",
        "elasticsearch": "http://127.0.0.1:19200",
        "gateway": "http://127.0.0.1:18080",
        "edges": ["ws://e"],
    }
    (role,) = answer["roles"]
    assert (role["name"], role["state"], role["pid"]) == ("kafka", "ready", os.getpid())


def test_the_command_has_a_line_for_each_process(directory: DataDirectory) -> None:
    write(directory, ProcessState("kafka", "ready", state.identify(os.getpid()), 19092, restarts=2))
    with directory.locked():
        result = CliRunner().invoke(cli, ["status", "--data-dir", str(directory.path)])
    assert result.stdout.splitlines()[1].split() == ["kafka", "ready", str(os.getpid()), "19092", "2"]


def test_where_nothing_runs_status_fails_and_down_does_not(
    directory: DataDirectory, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["status", "--data-dir", str(directory.path)]) == 1
    assert "is not up" in capsys.readouterr().err
    assert run(["down", "--data-dir", str(directory.path)]) == 0
    assert "was not up" in capsys.readouterr().out


def test_down_ends_who_holds_the_lock(directory: DataDirectory) -> None:
    program = (
        "import sys, time; from pathlib import Path; from embedded.datadir import DataDirectory\n"
        "with DataDirectory(Path(sys.argv[1])).locked(): print('mine', flush=True); time.sleep(600)"
    )
    argv = [sys.executable, "-c", program, str(directory.path)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"mine\n"
        assert down.stop(directory)
    assert not directory.is_locked()
    assert not down.stop(directory)
