"""One Kafka and one Elasticsearch for all processes of a test run; the first that asks has it started.

A server lives in a keeper (`python -m tests.sharing NAME DIRECTORY`), which ends when no process of the run
uses it any more, however these ended: each holds a lock, and the system takes back the locks of the dead.
"""

import contextlib
import fcntl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

from tests import servers

STARTERS: Final = {"kafka": servers.running_kafka, "elasticsearch": servers.running_elasticsearch}
#: So long a start may take where the machine is busy, and the server has to be downloaded first.
WITHIN_S: Final = 500
#: Kept, for a keeper outlives who started it.
keepers: list["subprocess.Popen[bytes]"] = []


@contextlib.contextmanager
def shared(name: str, directory: Path) -> Iterator[str]:
    """The address of the server that all have who name this directory."""
    address = directory / f"{name}.address"
    with (directory / f"{name}.starting").open("w") as starting, users(name, directory) as using:
        fcntl.flock(starting, fcntl.LOCK_EX)
        fcntl.flock(using, fcntl.LOCK_SH)  # waits for a keeper that is about to end
        if not address.exists():
            start_keeper(name, directory, address)
        fcntl.flock(starting, fcntl.LOCK_UN)
        yield address.read_text()


def users(name: str, directory: Path) -> IO[str]:
    """The file that is locked by all who use a server."""
    return (directory / f"{name}.using").open("w")


def start_keeper(name: str, directory: Path, address: Path) -> None:
    log = directory / f"{name}.log"
    with log.open("wb") as told:
        keeper = subprocess.Popen(
            [sys.executable, "-m", "tests.sharing", name, str(directory)],
            cwd=servers.ROOT,
            stdin=subprocess.DEVNULL,
            stdout=told,
            stderr=told,
            start_new_session=True,
        )
    keepers.append(keeper)

    def has_started() -> bool:
        assert keeper.poll() is None, f"{name} did not start:\n{log.read_text('utf-8', 'replace')}"
        return address.exists()

    servers.wait_until(has_started, what=name, timeout_seconds=WITHIN_S)


def keep(name: str, directory: Path) -> None:
    """Start a server, say where it is, and end it when nobody uses it."""
    address = directory / f"{name}.address"
    with users(name, directory) as using, servers.data_directory() as data, STARTERS[name](data) as at:
        unfinished = address.with_suffix(".part")
        unfinished.write_text(at)
        unfinished.replace(address)
        fcntl.flock(using, fcntl.LOCK_EX)
        address.unlink()
        # The lock is given back only after the server has ended: who comes now waits, and starts another.


if __name__ == "__main__":
    keep(sys.argv[1], Path(sys.argv[2]))
