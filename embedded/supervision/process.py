"""One child process: started in a group of its own, with a log file, ended with all that it started."""

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil

from embedded.backends.account import Account
from kernel.errors import TouchlineError

_CHILD: Final = Path(__file__).with_name("_child.py")
_LOG_LIMIT_BYTES: Final = 16 * 1024 * 1024
_POLL_SECONDS: Final = 0.05


@dataclass(frozen=True)
class Command:
    """What to run, and as whom."""

    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    directory: Path = Path("/")
    account: Account | None = None


class Process:
    """A child that can be started, stopped, killed and started again.

    It dies with this process, even when this one is killed. It leaves the terminal's process group, so that
    Ctrl-C reaches only the parent, which then stops its children in order.
    """

    def __init__(self, name: str, command: Callable[[], Command], log_file: Path) -> None:
        """`command` is asked at each start, and may prepare what the program needs."""
        self.name = name
        self.log_file = log_file
        self.command = command
        self._popen: subprocess.Popen[bytes] | None = None
        self._log_start = 0
        #: Of two who start it at once one does.
        self._launching = threading.Lock()

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._popen.pid if self._popen is not None and self.is_running() else None

    @property
    def exit_code(self) -> int | None:
        """How it ended: the exit code, or minus the signal's number; None while it runs or before it did."""
        return self._popen.poll() if self._popen is not None else None

    def is_running(self) -> bool:
        return self._popen is not None and self._popen.poll() is None

    def launch(self) -> None:
        """Start it, if it does not run, without waiting until it can be used. From any thread."""
        with self._launching:
            if not self.is_running():
                self._launch()

    def _launch(self) -> None:
        command = self.command()
        uid, gid = (command.account.uid, command.account.gid) if command.account else (-1, -1)
        argv = [sys.executable, "-I", "-S", str(_CHILD), str(os.getpid()), str(uid), str(gid), *command.argv]
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        _keep_small(self.log_file)
        with self.log_file.open("ab") as log:
            self._log_start = log.tell()
            self._popen = _spawn(
                lambda: subprocess.Popen(
                    argv,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=dict(command.environment),
                    cwd=command.directory,
                    start_new_session=True,
                )
            )

    def wait(self, timeout_seconds: float | None = None) -> int:
        """Wait until it ends by itself; its exit code."""
        if self._popen is None:
            raise AssertionError(f"{self.name} was never started")
        return self._popen.wait(timeout_seconds)

    def terminate(self) -> None:
        """Ask it to end, without waiting."""
        if self._popen is not None:
            self._popen.terminate()

    def is_gone(self) -> bool:
        """Whether nothing runs any more, neither it nor what it started."""
        return self._popen is None or (self._popen.poll() is not None and not group(self._popen.pid))

    def stop(self, *, grace_seconds: float = 20) -> None:
        """Ask it to end; after the grace period end it."""
        self.terminate()
        deadline = time.monotonic() + grace_seconds
        while not self.is_gone() and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        self.kill()

    def kill(self) -> None:
        """End it and what it started now, as `kill -9` does, and wait until they are gone."""
        if self._popen is None or self.is_gone():
            return
        members = group(self._popen.pid)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()
        psutil.wait_procs(members, timeout=10)

    def wait_until(self, ready: Callable[[], bool], *, timeout_seconds: float) -> None:
        """Wait until `ready` says so. Raises if the process ends first, or time is up."""
        deadline = time.monotonic() + timeout_seconds
        while not ready():
            if not self.is_running():
                raise self.failed(f"ended with {describe_exit(self.exit_code)} before it was ready")
            if time.monotonic() > deadline:
                raise self.failed(f"was not ready within {timeout_seconds:.0f} s")
            time.sleep(_POLL_SECONDS)

    def failed(self, what: str) -> TouchlineError:
        """The error that says what this process did, with the end of its log."""
        tail = "\n".join(f"  | {line}" for line in self.log_tail())
        said = f"Its log ends:\n{tail}\n" if tail else "It has said nothing. "
        return TouchlineError(
            "start_failed", f"{self.name} {what}.", hint=f"{said}All of it: {self.log_file}"
        )

    def log_tail(self, lines: int = 15) -> list[str]:
        """The last lines that it has logged since it was started."""
        try:
            with self.log_file.open("rb") as log:
                log.seek(max(self._log_start, self.log_file.stat().st_size - 16_384))
                return log.read().decode(errors="replace").splitlines()[-lines:]
        except FileNotFoundError:
            return []


def describe_exit(code: int | None) -> str:
    """`exit code 1`, or `SIGKILL`."""
    if code is not None and code < 0:
        with contextlib.suppress(ValueError):
            return signal.Signals(-code).name
        return f"signal {-code}"
    return f"exit code {code}"


def _keep_small(log_file: Path) -> None:
    """Put a log that has grown large aside: one old one is kept."""
    if log_file.exists() and log_file.stat().st_size > _LOG_LIMIT_BYTES:
        log_file.replace(log_file.with_suffix(f"{log_file.suffix}.1"))


def group(leader: int) -> list[psutil.Process]:
    """Who lives in the group of this process, which may be gone: Elasticsearch's launcher goes first."""
    members = []
    for pid in psutil.pids():
        with contextlib.suppress(psutil.Error, ProcessLookupError, PermissionError):
            if os.getpgid(pid) == leader:
                process = psutil.Process(pid)
                if process.status() != psutil.STATUS_ZOMBIE:
                    members.append(process)
    return members


def end_group(leader: int, *, kill: bool, timeout_seconds: float = 15) -> None:
    """Wait until a group of another supervisor's is gone, after ending it if so wanted."""
    members = group(leader)
    if kill:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(leader, signal.SIGKILL)
    psutil.wait_procs(members, timeout=timeout_seconds)


class _Spawner:
    """Starts all children from one thread that lives as long as this process.

    Linux ends a child with its parent when the *thread* that started it ends: one started from a pool's
    thread would die whenever the pool lets that thread go.
    """

    def __init__(self) -> None:
        self._requests: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        threading.Thread(target=self._run, name="spawner", daemon=True).start()

    def _run(self) -> None:
        while True:
            self._requests.get()()

    def spawn(self, make: Callable[[], subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
        outcome: queue.SimpleQueue[subprocess.Popen[bytes] | Exception] = queue.SimpleQueue()

        def run() -> None:
            try:
                outcome.put(make())
            except Exception as error:
                outcome.put(error)

        self._requests.put(run)
        result = outcome.get()
        if isinstance(result, Exception):
            raise result
        return result


_spawners: dict[int, _Spawner] = {}
_spawners_lock = threading.Lock()


def _spawn(make: Callable[[], subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
    with _spawners_lock:  # by process id: a fork takes the memory along, but not the thread
        spawner = _spawners.get(os.getpid())
        if spawner is None:
            spawner = _spawners[os.getpid()] = _Spawner()
    return spawner.spawn(make)
