"""What `touchline up` does: checks, installs, supervises; in this process or in one of its own."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from embedded import preflight
from embedded.backends import artifacts
from embedded.datadir import DataDirectory
from embedded.supervision import state
from embedded.supervision.plan import Plan
from embedded.supervision.progress import Download, Failed, Report, Up, read
from embedded.supervision.state import Addresses
from embedded.supervision.supervisor import Supervisor
from kernel.errors import TouchlineError
from kernel.settings.reading import Settings

_POLL_SECONDS: Final = 0.1
_OTHER_UP_SECONDS: Final = 600.0


def servers_dir(settings: Settings, directory: DataDirectory) -> Path:
    """Where the servers are installed."""
    return Path(settings.embedded.servers_dir or directory.path / "servers").absolute()


def run(plan: Plan, settings: Settings, directory: DataDirectory, report: Report) -> bool:
    """Start the pipeline, and supervise it until a signal ends it. False if it is up here already."""
    directory.prepare()
    with directory.locked() as ours:
        if not ours:
            return False
        preflight.end_leftovers(directory)
        preflight.check(directory, plan.claims)
        homes = artifacts.install(
            servers_dir(settings, directory),
            progress=lambda label, done, total: report(Download(label, done, total)),
        )
        specs = plan.specs(directory, homes, artifacts.java_home())
        Supervisor(specs, directory, plan.addresses, report=report).run()
    return True


def run_in_background(arguments: list[str], directory: DataDirectory, report: Report) -> None:
    """Start `touchline ARGUMENTS --report-fd N` in a session of its own, and follow it until it is up.

    Raises what it failed with. Whoever interrupts the wait, or kills this process, ends the start.
    """
    directory.prepare()
    log_file = directory.logs / "supervisor.log"
    reader, writer = os.pipe()
    with log_file.open("ab") as log:
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", "touchline", *arguments, "--report-fd", str(writer)],
            pass_fds=(writer,),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    os.close(writer)
    try:
        with os.fdopen(reader, "rb") as lines:
            _follow(lines, report, log_file)
    except BaseException:
        child.terminate()
        child.wait()
        raise
    child.returncode = 0  # it stays, and is nobody's child from now on


def _follow(lines: Iterable[bytes], report: Report, log_file: Path) -> None:
    """Pass on what the supervisor reports until it is up; raise what it failed with."""
    for line in lines:
        event = read(line)
        if isinstance(event, Failed):
            raise TouchlineError(event.code, event.message, hint=event.hint)
        report(event)
        if isinstance(event, Up):
            return
    raise TouchlineError("start_failed", "The supervisor ended without a word.", hint=f"Its log: {log_file}")


def wait_for_other(directory: DataDirectory, say: Callable[[str], None]) -> Addresses | None:
    """The addresses of the pipeline that another `up` runs here, once it is up; None if it gave up."""
    deadline, said = time.monotonic() + _OTHER_UP_SECONDS, False
    while directory.is_locked() and time.monotonic() < deadline:
        running = state.read(directory.state_file)
        if running is not None and running.phase == "up":
            return running.addresses
        if not said:
            say("Another `touchline up` is starting it: waiting for that one.")
            said = True
        time.sleep(_POLL_SECONDS)
    return None
