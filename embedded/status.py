"""How the pipeline is now: what its supervisor wrote, checked against what each process says of itself."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus

from embedded.datadir import DataDirectory
from embedded.supervision import probe, state
from embedded.supervision.state import Addresses, Phase, ProcessState
from kernel.process.probe import get


@dataclass(frozen=True)
class Line:
    """One process, as `status` shows it."""

    name: str
    state: str
    pid: int | None
    port: int | None
    restarts: int
    lag: int | None
    detail: str = ""


@dataclass(frozen=True)
class Status:
    """The pipeline, as `status` shows it."""

    phase: Phase
    addresses: Addresses
    lines: tuple[Line, ...]


def look(directory: DataDirectory) -> Status | None:
    """The status; None if nothing runs here."""
    running = state.read(directory.state_file) if directory.is_locked() else None
    if running is None:
        return None
    processes = [process for process in running.processes if process.state != "done"]
    with ThreadPoolExecutor(max(1, len(processes))) as pool:  # one that hangs does not hold up the others
        lines = tuple(pool.map(_line, processes))
    return Status(running.phase, running.addresses, lines)


def _line(process: ProcessState) -> Line:
    word, detail, lag = str(process.state), "", None
    identity = process.identity
    if identity is not None and identity.process() is None:
        word, detail = "ended", "its supervisor has not seen it yet"
    elif word == "ready" and process.operator_url:
        word, detail = _ask(process.operator_url)
        metrics = get(f"{process.operator_url}/metrics")
        lag = probe.lag(metrics[1].decode(errors="replace").splitlines()) if metrics is not None else None
    if not detail and process.last_end:
        detail = f"the last one {process.last_end}"
    pid = identity.pid if identity is not None else None
    return Line(process.name, word, pid, process.port, process.restarts, lag, detail)


def _ask(operator_url: str) -> tuple[str, str]:
    answer = get(f"{operator_url}/readyz")
    if answer is None:
        return "silent", "it does not answer /readyz"
    code, body = answer
    if code == HTTPStatus.OK:
        return "ready", ""
    try:
        problems = json.loads(body)["problems"]
        return "not ready", "; ".join(f"{name}: {why}" for name, why in problems.items())
    except (ValueError, KeyError, AttributeError):
        return "not ready", f"/readyz answers {code}"
