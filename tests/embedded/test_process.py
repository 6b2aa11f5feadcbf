"""A child is started in a group of its own and ended with all that it started."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from embedded.supervision.process import Command, Process, describe_exit, end_group
from kernel.errors import TouchlineError
from tests.servers import wait_until

FOREVER = "import signal; print('ready', flush=True); signal.pause()"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {FOREVER}"
#: Starts a child of its own, that ignores SIGTERM, and leaves it behind.
PARENT = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {STUBBORN!r}]); {FOREVER}"

Make = Callable[[str], Process]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Process] = []

    def process(program: str) -> Process:
        command = Command((sys.executable, "-c", program), environment=os.environ)
        made.append(Process("child", lambda: command, tmp_path / "logs" / "child.log"))
        return made[-1]

    yield process
    for each in made:
        each.kill()


def launch(process: Process, lines: int = 1) -> None:
    process.launch()
    wait_until(lambda: process.log_tail().count("ready") == lines, what="the child")


def test_a_child_has_a_group_of_its_own_so_that_ctrl_c_does_not_reach_it(make: Make) -> None:
    process = make(FOREVER)
    launch(process)
    assert process.pid is not None
    assert os.getpgid(process.pid) == process.pid != os.getpgrp()


def test_stop_asks_first(make: Make) -> None:
    process = make(FOREVER)
    launch(process)
    process.stop()
    assert process.exit_code == -signal.SIGTERM
    assert process.is_gone()


def test_stop_ends_one_that_does_not_listen(make: Make) -> None:
    process = make(STUBBORN)
    launch(process)
    process.stop(grace_seconds=0.1)
    assert process.exit_code == -signal.SIGKILL


def test_what_a_child_has_started_ends_with_it(make: Make) -> None:
    process = make(PARENT)
    launch(process, lines=2)
    assert process.pid is not None
    (grandchild,) = psutil.Process(process.pid).children()
    process.terminate()
    wait_until(lambda: not process.is_running(), what="the child's end")
    assert not process.is_gone(), "the grandchild still runs"
    process.kill()
    assert process.is_gone()
    assert not grandchild.is_running() or grandchild.status() == psutil.STATUS_ZOMBIE


def test_it_can_be_started_again_and_its_log_tail_is_of_the_last_start(make: Make) -> None:
    process = make(FOREVER)
    launch(process)
    first = process.pid
    process.kill()
    launch(process)
    assert process.pid not in {None, first}
    assert process.log_tail() == ["ready"]
    assert process.log_file.read_text() == "ready\nready\n"


def test_to_launch_one_that_runs_changes_nothing(make: Make) -> None:
    process = make(FOREVER)
    launch(process)
    before = process.pid
    process.launch()
    assert process.pid == before


def test_one_that_was_never_started_can_be_stopped(make: Make) -> None:
    process = make(FOREVER)
    process.stop()
    assert process.is_gone()
    assert process.pid is None


def test_a_death_before_it_is_ready_is_told_with_the_end_of_its_log(make: Make) -> None:
    process = make("print('the reason'); raise SystemExit(3)")
    process.launch()
    with pytest.raises(TouchlineError, match=r"ended with exit code 3 before") as failed:
        process.wait_until(lambda: False, timeout_seconds=30)
    assert "  | the reason" in str(failed.value)
    assert str(process.log_file) in str(failed.value)


def test_one_that_is_not_ready_in_time_is_told(make: Make) -> None:
    process = make(FOREVER)
    launch(process)
    with pytest.raises(TouchlineError, match="was not ready within 0 s"):
        process.wait_until(lambda: False, timeout_seconds=0)


def test_a_program_that_does_not_exist_is_told(tmp_path: Path) -> None:
    command = Command(("/nowhere/program",))
    process = Process("child", lambda: command, tmp_path / "child.log")
    process.launch()
    assert process.wait(60) == 1
    assert process.log_tail() == ["/nowhere/program cannot be run: No such file or directory."]


def test_a_large_log_is_put_aside(make: Make) -> None:
    process = make(FOREVER)
    process.log_file.parent.mkdir()
    with process.log_file.open("wb") as log:
        log.truncate(17 * 1024 * 1024)
    launch(process)
    assert process.log_file.read_text() == "ready\n"
    assert process.log_file.with_name("child.log.1").exists()


def test_a_child_outlives_the_thread_that_started_it(make: Make) -> None:
    process = make(FOREVER)
    thread = threading.Thread(target=process.launch)
    thread.start()
    thread.join()
    wait_until(lambda: process.log_tail() == ["ready"], what="the child")
    assert process.is_running()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
def test_a_child_dies_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    program = (
        "import os, sys, time; from pathlib import Path; from embedded.supervision.process import *\n"
        f"c = Command((sys.executable, '-c', {FOREVER!r}), environment=os.environ)\n"
        "p = Process('child', lambda: c, Path(sys.argv[1])); p.launch()\n"
        "p.wait_until(p.log_tail, timeout_seconds=60); print(p.pid, flush=True); time.sleep(600)"
    )
    argv = [sys.executable, "-c", program, str(tmp_path / "log")]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    assert psutil.wait_procs([child], timeout=60)[1] == []


def test_the_group_of_another_parents_child_can_be_ended(make: Make) -> None:
    process = make(PARENT)
    launch(process, lines=2)
    assert process.pid is not None
    end_group(process.pid, kill=True)
    wait_until(process.is_gone, what="the group's end")


@pytest.mark.parametrize(
    ("code", "words"), [(0, "exit code 0"), (3, "exit code 3"), (-9, "SIGKILL"), (-200, "signal 200")]
)
def test_an_exit_is_described(code: int, words: str) -> None:
    assert describe_exit(code) == words
