"""A Docker daemon: the one that answers, or one of our own for as long as it is needed."""

import contextlib
import fcntl
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

#: Where images, layers and built programs are kept between runs.
CACHE_VARIABLE: Final = "STANDINS_DIR"
_USUAL: Final = "unix:///var/run/docker.sock"
_READY_S: Final = 180.0
_END_S: Final = 90.0
#: What a container gets where it asks for nothing, as far as this machine allows it.
_OPEN_FILES: Final = 16_384
_FILES, _LOCKED = resource.RLIMIT_NOFILE, resource.RLIMIT_MEMLOCK


class NoDaemonError(Exception):
    """There is no daemon, and none can be started: with the reason, and what to do, as a sentence."""


@dataclass(frozen=True)
class Daemon:
    """One that answers."""

    host: str
    #: Whether it was started here, and ends with us.
    own: bool
    #: What a container may be allowed at most: files that a process opens, and bytes that it locks in memory.
    open_files: int
    locked_bytes: int

    @property
    def environment(self) -> dict[str, str]:
        """For programs that speak to it, testcontainers among them."""
        return {
            **os.environ,
            "DOCKER_HOST": self.host,
            # What cleans up after testcontainers is an image that is not in reach where ours are made.
            "TESTCONTAINERS_RYUK_DISABLED": "true",
        }

    def docker(self, *arguments: str, timeout: float = 600, given: bytes | None = None) -> str:
        """What `docker …` prints. Raises where it fails, with what it said."""
        return run(("docker", *arguments), environment=self.environment, timeout=timeout, given=given)


def run(
    command: tuple[str, ...],
    *,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
    timeout: float = 600,
    given: bytes | None = None,
) -> str:
    """What a command prints to standard output. Where it fails: the end of all that it said."""
    ended = subprocess.run(
        command,
        input=given,
        capture_output=True,
        env=environment,
        cwd=directory,
        timeout=timeout,
        check=False,
    )
    if ended.returncode != 0:
        said = (ended.stdout + ended.stderr).decode(errors="replace").strip()
        raise RuntimeError(f"{' '.join(command[:4])} … exited {ended.returncode}:\n{said[-3000:]}")
    return ended.stdout.decode(errors="replace")


def cache_dir() -> Path:
    """The directory that is kept between runs."""
    given = os.environ.get(CACHE_VARIABLE)
    return Path(given) if given else Path.home() / ".cache" / "touchline-standins"


def answers(host: str) -> bool:
    """Whether somebody listens there. No client is asked: it would leave sockets behind."""
    scheme, _, path = host.partition("://")
    if scheme != "unix":
        return True
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(3)
        return probe.connect_ex(path) == 0


def obstacle() -> str | None:
    """What keeps us from starting a daemon: a sentence; None: nothing does."""
    if sys.platform != "linux":
        return "A Docker daemon of our own can be started on Linux only: start yours, and set DOCKER_HOST."
    if os.geteuid() != 0:
        return "No Docker daemon answers, and only root can start one: start yours, or run this as root."
    for program, package in (("dockerd", "docker.io"), ("iptables", "iptables")):
        if shutil.which(program) is None:
            return f"No Docker daemon answers, and {program} is not installed: apt-get install {package}."
    return None


@contextlib.contextmanager
def daemon() -> Iterator[Daemon]:
    """A daemon to work with. Raises NoDaemonError where there can be none."""
    host = os.environ.get("DOCKER_HOST", _USUAL)
    if answers(host):
        yield Daemon(host, own=False, open_files=_hard_limit(_FILES), locked_bytes=_hard_limit(_LOCKED))
        return
    if (why := obstacle()) is not None:
        raise NoDaemonError(why)
    home = cache_dir()
    home.mkdir(parents=True, exist_ok=True)
    with (home / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise NoDaemonError(
                f"Another run uses {home}: wait for its end, or name another directory in {CACHE_VARIABLE}."
            ) from None
        with _started(home) as own:
            yield own


@contextlib.contextmanager
def _started(home: Path) -> Iterator[Daemon]:
    """A daemon whose layers lie in `home`, and all else in a directory that goes with it."""
    run_dir = Path("/run") / f"touchline-docker-{os.getpid()}"
    shutil.rmtree(run_dir, ignore_errors=True)
    run_dir.mkdir(mode=0o700)
    host = f"unix://{run_dir}/docker.sock"
    most = _hard_limit(_FILES)
    most = _OPEN_FILES if most < 0 else min(_OPEN_FILES, most)
    log_path = home / "dockerd.log"
    # A log of its own for each start: who reads it wants to know how this one went.
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            (
                "dockerd",
                *("--data-root", str(home / "docker"), "--exec-root", str(run_dir / "exec")),
                *("--pidfile", str(run_dir / "dockerd.pid"), "--host", host),
                *("--default-ulimit", f"nofile={most}:{most}"),
            ),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is ours: it ends when its containers have
        )
    # Whoever is told to end ends it, too; it would hold its layers for good.
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        _wait_until_ready(process, host, log_path)
        yield Daemon(host, own=True, open_files=most, locked_bytes=_hard_limit(_LOCKED))
    finally:
        signal.signal(signal.SIGTERM, before)
        _end(process)
        shutil.rmtree(run_dir, ignore_errors=True)


def _wait_until_ready(process: subprocess.Popen[bytes], host: str, log_path: Path) -> None:
    deadline = time.monotonic() + _READY_S
    while True:
        if process.poll() is not None or time.monotonic() > deadline:
            end = log_path.read_text(errors="replace").strip().splitlines()[-3:]
            raise NoDaemonError("dockerd did not start, and says: " + " / ".join(end))
        asked = subprocess.run(
            ("docker", "version", "--format", "{{.Server.Version}}"),
            env={**os.environ, "DOCKER_HOST": host},
            capture_output=True,
            check=False,
        )
        if asked.returncode == 0:
            return
        time.sleep(0.1)


def _end(process: subprocess.Popen[bytes]) -> None:
    """It ends its containers, and then itself."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _hard_limit(which: int) -> int:
    """-1: none."""
    return resource.getrlimit(which)[1]
