"""The supervisor starts in order, starts again what dies, and leaves nothing behind, however it ends."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from embedded.datadir import DataDirectory
from embedded.supervision import state
from embedded.supervision.process import Process
from embedded.supervision.state import ProcessState, State
from embedded.supervision.supervisor import Spec, check
from kernel.errors import TouchlineError
from tests.servers import wait_until

#: A supervisor of two fake roles, `log` and `edge`, and a one-shot between them. A role is ready when its
#: file is there; what it does is the program that it is given.
PROGRAM = """
import os, sys
from pathlib import Path
from embedded.datadir import DataDirectory
from embedded.supervision.process import Command, Process
from embedded.supervision.progress import write_to
from embedded.supervision.state import Addresses
from embedded.supervision.supervisor import Spec, Supervisor
from kernel.errors import TouchlineError

directory = DataDirectory(Path(sys.argv[1]))
directory.prepare()

def spec(name, program, after=(), one_shot=False):
    mark = directory.path / "run" / f"{name}.ready"
    command = Command((sys.executable, "-c", program, str(mark)), environment=os.environ)
    return Spec(Process(name, lambda: command, directory.logs / f"{name}.log"),
                None if one_shot else mark.exists, after, port=1,
                start_seconds=float(sys.argv[5]) if name == "edge" else 60)

specs = [spec("log", sys.argv[2]), spec("topics", sys.argv[3], ("log",), one_shot=True),
         spec("edge", sys.argv[4], ("topics",))]
with directory.locked():
    try:
        Supervisor(specs, directory, Addresses(kafka="k"), report=write_to(os.fdopen(1, "wb"))).run()
    except TouchlineError as error:
        sys.exit(str(error))
"""
GOOD = (
    "import signal, sys; from pathlib import Path; Path(sys.argv[1]).touch()\n"
    "print('ready', flush=True); signal.pause()"
)
TELLS_ITS_END = f"""
import signal, sys
from pathlib import Path
def end(*_):
    mark = Path(sys.argv[1])
    with mark.with_name("ends").open("a") as ends:
        ends.write(f"{{mark.name}}\\n")
    sys.exit()
signal.signal(signal.SIGTERM, end)
{GOOD}
"""
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n{GOOD}"
NEVER_READY = "import signal; signal.pause()"

Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def directory(tmp_path: Path) -> DataDirectory:
    return DataDirectory(tmp_path / "data")


@pytest.fixture
def start(directory: DataDirectory) -> Iterator[Start]:
    started: list[subprocess.Popen[bytes]] = []

    def supervise(
        log: str = GOOD, topics: str = "", edge: str = GOOD, seconds: float = 60
    ) -> "subprocess.Popen[bytes]":
        argv = [sys.executable, "-c", PROGRAM, str(directory.path), log, topics, edge, str(seconds)]
        root = Path(__file__).parents[2]
        child = subprocess.Popen(argv, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        started.append(child)
        return child

    yield supervise
    for child in started:
        child.kill()
        child.communicate()


def running(directory: DataDirectory) -> State | None:
    return state.read(directory.state_file)


def wait_until_up(directory: DataDirectory) -> dict[str, ProcessState]:
    def is_up() -> bool:
        found = running(directory)
        return found is not None and found.phase == "up"

    wait_until(is_up, what="the pipeline")
    found = running(directory)
    assert found is not None
    return {process.name: process for process in found.processes}


def process_of(process: ProcessState) -> psutil.Process:
    assert process.identity is not None
    found = process.identity.process()
    assert found is not None
    return found


def all_of(directory: DataDirectory) -> list[psutil.Process]:
    found = running(directory)
    assert found is not None
    return [process_of(process) for process in found.processes if process.identity is not None]


def test_each_starts_when_those_that_it_needs_are_ready(start: Start, directory: DataDirectory) -> None:
    mark = directory.path / "run" / "log.ready"
    start(topics=f"assert __import__('os').path.exists({str(mark)!r})")
    processes = wait_until_up(directory)
    assert {name: process.state for name, process in processes.items()} == {
        "log": "ready",
        "topics": "done",
        "edge": "ready",
    }


def test_one_that_is_killed_is_started_again_and_it_is_told(start: Start, directory: DataDirectory) -> None:
    start()
    before = wait_until_up(directory)["edge"]
    process_of(before).kill()

    def is_back() -> bool:
        now = wait_until_up(directory)["edge"]
        return now.restarts == 1 and now.state == "ready" and now.identity != before.identity

    wait_until(is_back, what="the edge")
    assert wait_until_up(directory)["edge"].last_end == "ended with SIGKILL"
    assert wait_until_up(directory)["log"].restarts == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_stops_everything(start: Start, directory: DataDirectory, number: signal.Signals) -> None:
    supervisor = start()
    wait_until_up(directory)
    family = all_of(directory)
    assert len(family) == 2
    supervisor.send_signal(number)
    assert supervisor.wait(60) == 0
    assert psutil.wait_procs(family, timeout=0)[1] == []
    assert running(directory) is None


def test_those_that_others_need_are_stopped_last(start: Start, directory: DataDirectory) -> None:
    supervisor = start(log=TELLS_ITS_END, edge=TELLS_ITS_END)
    wait_until_up(directory)
    supervisor.terminate()
    assert supervisor.wait(60) == 0
    ends = (directory.path / "run" / "ends").read_text().splitlines()
    assert ends == ["edge.ready", "log.ready"]


def test_a_second_ctrl_c_does_not_wait_for_the_stubborn(start: Start, directory: DataDirectory) -> None:
    supervisor = start(edge=STUBBORN)
    wait_until_up(directory)
    family = all_of(directory)
    supervisor.send_signal(signal.SIGINT)

    def is_stopping() -> bool:
        found = running(directory)
        return found is not None and found.phase == "stopping"

    wait_until(is_stopping, what="the first Ctrl-C")
    assert supervisor.poll() is None
    supervisor.send_signal(signal.SIGINT)
    assert supervisor.wait(15) == 0, "the grace period is 20 s"
    assert psutil.wait_procs(family, timeout=0)[1] == []


@pytest.mark.parametrize(
    ("programs", "said"),
    [
        ({"edge": "print('the reason'); raise SystemExit(3)"}, "edge ended with exit code 3 while"),
        ({"topics": "print('the reason'); raise SystemExit(1)"}, "topics ended with exit code 1 while"),
        ({"edge": f"print('the reason', flush=True); {NEVER_READY}", "seconds": 4}, "edge was not ready"),
    ],
)
def test_a_start_that_fails_says_why_and_leaves_nothing(
    start: Start, directory: DataDirectory, programs: dict[str, str], said: str
) -> None:
    supervisor = start(**programs)
    wait_until(lambda: running(directory) or supervisor.poll() is not None, what="the start")
    _, error = supervisor.communicate(timeout=90)
    assert supervisor.returncode == 1
    assert said in error.decode()
    assert "  | the reason" in error.decode()
    assert str(directory.path) not in " ".join(
        part for process in psutil.process_iter() for part in command_line(process)
    )
    assert running(directory) is None


def command_line(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
def test_a_supervisor_that_is_killed_takes_all_along_and_the_next_one_works(
    start: Start, directory: DataDirectory
) -> None:
    supervisor = start()
    wait_until_up(directory)
    family = all_of(directory)
    supervisor.kill()
    assert psutil.wait_procs(family, timeout=60)[1] == []
    assert not directory.is_locked()
    supervisor.communicate()
    directory.state_file.unlink()
    start()
    wait_until_up(directory)


def test_specs_that_cannot_be_ordered_are_refused(tmp_path: Path) -> None:
    def never() -> None:
        raise AssertionError("it is never started")

    process = Process("edge", never, tmp_path / "log")  # type: ignore[arg-type]
    with pytest.raises(TouchlineError, match="edge cannot be placed"):
        check([Spec(process, None, after=("nobody",))])
    with pytest.raises(TouchlineError, match="edge cannot be placed"):
        check([Spec(process, None), Spec(process, None)])
