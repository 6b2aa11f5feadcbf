"""What runs, for those who ask from another shell: written by the supervisor, read by `status` and `down`."""

import contextlib
import os
from pathlib import Path
from typing import Final, Literal

import msgspec
import psutil

#: Start times are computed from the machine's boot time, which shifts a little when its clock is set.
_SAME_START_SECONDS: Final = 2.0

Phase = Literal["starting", "up", "stopping"]
Word = Literal["waiting", "starting", "ready", "done", "restarting", "stopping", "stopped"]


class Identity(msgspec.Struct, frozen=True):
    """A process, and not another one that was given the same number later."""

    pid: int
    started: float

    def process(self) -> psutil.Process | None:
        """The process itself, if it still runs."""
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started) < _SAME_START_SECONDS
            if same and process.status() != psutil.STATUS_ZOMBIE:
                return process
        return None


class ProcessState(msgspec.Struct, frozen=True):
    """One process of the pipeline."""

    name: str
    state: Word
    identity: Identity | None = None
    port: int | None = None
    restarts: int = 0
    last_end: str = ""
    operator_url: str = ""
    log_file: str = ""


class Addresses(msgspec.Struct, frozen=True):
    """Where the pipeline can be reached."""

    kafka: str = ""
    elasticsearch: str = ""
    gateway: str = ""
    edges: tuple[str, ...] = ()
    #: What its topics and its indices begin with: several pipelines may share the servers.
    topics: str = "touchline"
    indices: str = "touchline"


class State(msgspec.Struct, frozen=True):
    """The pipeline as its supervisor sees it."""

    supervisor: Identity
    phase: Phase
    addresses: Addresses
    processes: tuple[ProcessState, ...] = ()


def identify(pid: int) -> Identity | None:
    """The identity of a process that runs now."""
    with contextlib.suppress(psutil.Error):
        return Identity(pid, psutil.Process(pid).create_time())
    return None


def write(path: Path, state: State) -> None:
    """Replace the file; a reader sees the old state or the new one, never half of one."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.part")
    unfinished.write_bytes(msgspec.json.format(msgspec.json.encode(state)))
    unfinished.replace(path)


def read(path: Path) -> State | None:
    """The state; None where there is none, or one that this version cannot read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=State)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None
