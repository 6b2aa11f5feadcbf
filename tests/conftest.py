"""Fixtures that all tests share: real servers, started once a session and only when a test asks for them."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from xdist.scheduler import LoadFileScheduling

from embedded import ports
from embedded.backends.servers import Servers
from tests import servers, sharing

# Tests start hundreds of processes of the same code. Images for containers often forbid to keep it compiled,
# and then each of them compiles it all again: two seconds of a processor instead of half a one.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# How long an example takes says what else the machine does: what has to be quick is measured in bench/.
hypothesis.settings.register_profile("touchline", deadline=None)
hypothesis.settings.load_profile("touchline")

#: As many processes as `make test` has may look for free ports at the same time.
PARTS = 4
#: A test that asks for one of these is marked `servers`, whether or not its author thought of it.
SERVER_FIXTURES = frozenset({"kafka_servers", "elasticsearch_url", "make_servers"})


def pytest_configure() -> None:
    # Under nohup, or in the background of a script, signals are ignored, and every child would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    # The servers of tests live for seconds: Java's second compiler would cost them more than it brings.
    os.environ.setdefault("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1")
    # A port that is free now is listened on seconds later: no process of a run may be given another's.
    if (worker := os.environ.get("PYTEST_XDIST_WORKER", "")).removeprefix("gw").isdigit():
        part, whole = int(worker.removeprefix("gw")) % PARTS, ports.free_ports
        each = len(whole) // PARTS
        ports.free_ports = range(whole.start + part * each, whole.start + (part + 1) * each)


def pytest_report_header() -> str:
    return f"real servers: {servers.kind()}"


@pytest.hookimpl(tryfirst=True)  # before `-m "not servers"` is applied
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if SERVER_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.servers)
    # What takes long comes first, so that at the end no process waits for another. Folders, which work, and
    # slow files, which mostly wait, come in turns: where all do the same, processors are idle, or too few.
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    turns: dict[tuple[bool, Path], int] = {}

    def turn(item: pytest.Item) -> tuple[int, bool]:
        whole = is_whole(item.path.parent)
        if not whole and item.path not in slow:
            return sys.maxsize, whole
        place = (whole, item.path.parent if whole else item.path)
        before = sum(other is whole for other, _ in turns if other is whole)
        return turns.setdefault(place, before), whole

    items.sort(key=turn)


def is_whole(folder: Path) -> bool:
    """Whether a folder's tests stay together: as a package, it has fixtures that its files share."""
    return folder != Path(__file__).parent and (folder / "__init__.py").is_file()


class ByFolder(LoadFileScheduling):  # type: ignore[misc]
    """Gives files to test processes one by one, but those of a whole folder to the same."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::", 1)[0]
        folder = Path(file).parent
        return str(folder) if is_whole(servers.ROOT / folder) else file


@pytest.hookimpl(optionalhook=True)  # with xdist only
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFolder | None:
    return ByFolder(config, log) if config.getoption("dist") == "loadfile" else None


def of_this_process(factory: pytest.TempPathFactory) -> Path:
    """A directory of this test process; or what one has named who runs some tests again and again."""
    return Path(os.environ.get("TESTS_SERVERS") or factory.getbasetemp())


def of_the_run(factory: pytest.TempPathFactory) -> Path:
    """A directory that all processes of this run have; pytest-xdist gives each worker one below it."""
    own = of_this_process(factory)
    return own.parent if own == factory.getbasetemp() and "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def kafka_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Bootstrap servers of a real Kafka, this process's own: use topics and groups of your own."""
    with sharing.shared("kafka", of_this_process(tmp_path_factory)) as bootstrap_servers:
        yield bootstrap_servers


@pytest.fixture(scope="session")
def elasticsearch_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a real Elasticsearch, shared by the whole run: use indexes of your own.

    None is as dear to start and to warm up. A test that changes a setting of the cluster has its own.
    """
    with sharing.shared("elasticsearch", of_the_run(tmp_path_factory)) as url:
        yield url


@pytest.fixture
def make_servers() -> Iterator[Callable[..., Servers]]:
    """Makes embedded servers that a test may kill and start again; what still runs at its end is killed.

    Two made in one test share their data, as `up` after `down` does. Options are those of `Servers`.
    """
    made: list[Servers] = []
    with servers.data_directory() as directory:

        def make(**options: Any) -> Servers:
            made.append(servers.embedded_servers(directory, **options))
            return made[-1]

        yield make
        for each in made:
            each.kill()
