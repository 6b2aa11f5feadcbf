"""Keeps the pipeline's processes running: starts them in order, again when they die, and ends them all."""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import Final

from embedded.datadir import DataDirectory
from embedded.supervision import state
from embedded.supervision.backoff import Backoff
from embedded.supervision.process import Process, describe_exit
from embedded.supervision.progress import Changed, Report, Up
from embedded.supervision.state import Addresses, Phase, ProcessState, State, Word
from kernel.clock import Clock, SystemClock
from kernel.errors import TouchlineError
from kernel.process.logs import get_logger

_log = get_logger("touchline.up")
_TICK_SECONDS: Final = 0.1
_GRACE_SECONDS: Final = 20.0
#: For one that was never ready: it has nothing to put in order, and Elasticsearch hears nothing till then.
_GRACE_AT_START_SECONDS: Final = 3.0


@dataclass(frozen=True)
class Spec:
    """A process of the pipeline, and what has to be so before and after its start."""

    process: Process
    #: Whether it can be used now; None for one that does its work and ends.
    is_ready: Callable[[], bool] | None
    after: tuple[str, ...] = ()
    port: int | None = None
    #: Where /readyz and /metrics are, for `status`; empty if it has none.
    operator_url: str = ""
    start_seconds: float = 90.0

    @property
    def name(self) -> str:
        return self.process.name


@dataclass
class _Unit:
    spec: Spec
    state: Word = "waiting"
    restarts: int = 0
    backoff: Backoff = field(default_factory=Backoff)
    launched_at: float = 0.0
    launch_again_at: float = 0.0
    last_end: str = ""


class Supervisor:
    """Runs until it is asked to stop. What it started has then ended, whatever happened."""

    def __init__(
        self,
        specs: Sequence[Spec],
        directory: DataDirectory,
        addresses: Addresses,
        *,
        report: Report,
        clock: Clock | None = None,
    ) -> None:
        check(specs)
        self._units = [_Unit(spec) for spec in specs]
        self._directory = directory
        self._addresses = addresses
        self._report = report
        self._clock = clock or SystemClock()
        self._asked = threading.Event()
        self._hurry = threading.Event()
        self._is_up = False

    def ask_to_stop(self) -> None:
        """Stop soon; asked a second time, stop at once. Signal handlers and other threads may call it."""
        (self._hurry if self._asked.is_set() else self._asked).set()

    def run(self) -> None:
        """Start everything, keep it running, and end it when asked. Raises if it cannot be started."""
        with self._signals():
            try:
                self._write("starting")
                while not self._asked.wait(_TICK_SECONDS):
                    self._tick()
            finally:
                self._stop()

    def _tick(self) -> None:
        for unit in self._units:
            self._advance(unit)
        if not self._is_up and all(unit.state in {"ready", "done"} for unit in self._units):
            self._is_up = True
            self._write("up")
            self._report(Up())

    def _advance(self, unit: _Unit) -> None:
        """One step in the life of one process."""
        now = self._clock.monotonic()
        process = unit.spec.process
        if unit.state == "waiting":
            if self._may_start(unit.spec):
                self._launch(unit)
        elif unit.state == "restarting":
            if now >= unit.launch_again_at:
                self._launch(unit)
        elif unit.state == "done":
            pass
        elif not process.is_running():
            self._ended(unit)
        elif unit.state == "starting" and unit.spec.is_ready is not None:
            if unit.spec.is_ready():
                self._change(unit, "ready")
            elif not self._is_up and now - unit.launched_at > unit.spec.start_seconds:
                raise process.failed(f"was not ready within {unit.spec.start_seconds:.0f} s")

    def _may_start(self, spec: Spec) -> bool:
        return all(unit.state in {"ready", "done"} for unit in self._units if unit.spec.name in spec.after)

    def _launch(self, unit: _Unit) -> None:
        unit.launched_at = self._clock.monotonic()
        try:
            unit.spec.process.launch()
        except (OSError, TouchlineError) as error:  # no room, no memory: once it runs, that may pass
            if not self._is_up:
                raise
            self._launch_later(unit, f"could not be started ({error})")
        else:
            self._change(unit, "starting")

    def _ended(self, unit: _Unit) -> None:
        process = unit.spec.process
        if unit.spec.is_ready is None and process.exit_code == 0:
            self._change(unit, "done")
            return
        end = f"ended with {describe_exit(process.exit_code)}"
        if not self._is_up:
            # While the user watches the first start, a death is an answer and not something to try again.
            raise process.failed(f"{end} while the pipeline was being started")
        process.kill()  # a child of it that has stayed would hold its port
        self._launch_later(unit, end)

    def _launch_later(self, unit: _Unit, end: str) -> None:
        now = self._clock.monotonic()
        unit.backoff = unit.backoff.after_death(now - unit.launched_at)
        unit.launch_again_at = now + unit.backoff.wait_seconds
        unit.restarts += 1
        unit.last_end = end
        self._change(unit, "restarting", f"{end}; again in {unit.backoff.wait_seconds:g} s")

    def _stop(self) -> None:
        """End all processes, those first that no other needs. A failure of one does not spare the others."""
        self._write("stopping")
        while layer := self._not_needed_any_more():
            now = self._clock.monotonic()
            waits = []
            for unit in layer:
                unit.spec.process.terminate()
                waits.append(
                    (unit, now + (_GRACE_SECONDS if unit.state == "ready" else _GRACE_AT_START_SECONDS))
                )
                unit.state = "stopping"
            while any(
                not unit.spec.process.is_gone() and self._clock.monotonic() < until for unit, until in waits
            ):
                if self._hurry.wait(_TICK_SECONDS / 2):
                    break
            for unit in layer:
                unit.spec.process.kill()
                self._report(Changed(unit.spec.name, "stopped"))
                unit.state = "stopped"
        with contextlib.suppress(OSError):
            self._directory.state_file.unlink(missing_ok=True)

    def _not_needed_any_more(self) -> list[_Unit]:
        running = [unit for unit in self._units if not unit.spec.process.is_gone()]
        needed: set[str] = set()
        wanted = [name for unit in running for name in unit.spec.after]
        after = {unit.spec.name: unit.spec.after for unit in self._units}
        while wanted:  # also what is needed through one that has ended, as the topics have
            name = wanted.pop()
            needed.add(name)
            wanted += [further for further in after[name] if further not in needed]
        return running if self._hurry.is_set() else [u for u in running if u.spec.name not in needed]

    def _change(self, unit: _Unit, word: Word, detail: str = "") -> None:
        unit.state = word
        self._write("up" if self._is_up else "starting")
        self._report(Changed(unit.spec.name, word, detail))

    def _write(self, phase: Phase) -> None:
        me = state.identify(os.getpid())
        if me is None:
            raise AssertionError("this process cannot see itself")
        processes = tuple(_describe(unit) for unit in self._units)
        try:
            state.write(self._directory.state_file, State(me, phase, self._addresses, processes))
        except OSError as error:
            if phase == "starting":
                raise
            # A disk that is full must not end what runs well, nor keep it from ending.
            _log.warning("state cannot be written", reason=error.strerror)

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """Turn the signals that ask a program to end into a request to stop."""

        def handle(_number: int, _frame: FrameType | None) -> None:
            self.ask_to_stop()

        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {number: signal.getsignal(number) for number in numbers}
        if before[signal.SIGHUP] is signal.SIG_IGN:  # `nohup touchline up`: stays when the terminal closes
            del before[signal.SIGHUP]
        for number in before:
            signal.signal(number, handle)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _describe(unit: _Unit) -> ProcessState:
    process = unit.spec.process
    pid = process.pid
    return ProcessState(
        name=unit.spec.name,
        state=unit.state,
        identity=state.identify(pid) if pid is not None else None,
        port=unit.spec.port,
        restarts=unit.restarts,
        last_end=unit.last_end,
        operator_url=unit.spec.operator_url,
        log_file=str(process.log_file),
    )


def check(specs: Sequence[Spec]) -> None:
    """Refuse a list in which a process waits for one that is not there, or names are given twice."""
    names = [spec.name for spec in specs]
    for spec in specs:
        missing = set(spec.after) - set(names)
        if missing or names.count(spec.name) > 1:
            raise TouchlineError("start_failed", f"{spec.name} cannot be placed among {', '.join(names)}.")
