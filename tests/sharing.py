"""One Kafka and one Elasticsearch for all processes of a test run; the first that asks has it started.

A server lives in a keeper (`python -m tests.sharing NAME DIRECTORY`), which ends when no process of the run
uses it any more, however these ended: each holds a lock, and the system takes back the locks of the dead.
"""

import contextlib
import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

from tests import servers

STARTERS: Final = {"kafka": servers.running_kafka, "elasticsearch": servers.running_elasticsearch}
#: So long a start may take where the machine is busy, and the server has to be downloaded first.
WITHIN_S: Final = 500


@contextlib.contextmanager
def shared(name: str, directory: Path) -> Iterator[str]:
    """The address of the server that all have who name this directory."""
    address = address_of(name, directory)
    with (directory / f"{name}.starting").open("w") as starting, users(name, directory) as using:
        fcntl.flock(starting, fcntl.LOCK_EX)
        fcntl.flock(using, fcntl.LOCK_SH)  # waits for a keeper that is about to end
        if not address.exists():
            start_keeper(name, directory)
        fcntl.flock(starting, fcntl.LOCK_UN)
        yield address.read_text()


def address_of(name: str, directory: Path) -> Path:
    """The file that says where a server is, while it can be used."""
    return directory / f"{name}.address"


def users(name: str, directory: Path) -> IO[str]:
    """The file that is locked by all who use a server."""
    return (directory / f"{name}.using").open("w")


def start_keeper(name: str, directory: Path) -> None:
    log = directory / f"{name}.log"
    with log.open("wb") as told:
        started = subprocess.run(
            [sys.executable, "-m", "tests.sharing", name, str(directory)],
            cwd=servers.ROOT,
            stdin=subprocess.DEVNULL,
            stdout=told,
            stderr=told,
            check=False,
            start_new_session=True,
        )
    assert started.returncode == 0, f"{name} did not start:\n{log.read_text('utf-8', 'replace')}"


def main(name: str, directory: Path) -> int:
    """Leave a keeper behind, once its server can be used: it outlives who started it."""
    if (keeper := os.fork()) == 0:
        keep(name, directory)
        return 0

    def started_or_ended() -> bool:
        return address_of(name, directory).exists() or os.waitpid(keeper, os.WNOHANG) != (0, 0)

    servers.wait_until(started_or_ended, what=name, timeout_seconds=WITHIN_S)
    return 0 if address_of(name, directory).exists() else 1


def keep(name: str, directory: Path) -> None:
    """Start a server, say where it is, and end it when nobody uses it."""
    address = address_of(name, directory)
    with users(name, directory) as using, servers.data_directory() as data, STARTERS[name](data) as at:
        unfinished = address.with_suffix(".part")
        unfinished.write_text(at)
        unfinished.replace(address)
        fcntl.flock(using, fcntl.LOCK_EX)
        address.unlink()
        # The lock is given back only after the server has ended: who comes now waits, and starts another.


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
