"""Looks at every role meanwhile: does it live, how soon does its loop answer, how much does it hold."""

import contextlib
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

import psutil

from kernel.process.probe import get
from kernel.settings.reading import Settings

_EVERY_S: Final = 0.5
_ANSWER_S: Final = 10.0
#: What a role says of turns of its loop that took too long, counted by how long it worked meanwhile.
_STALLS: Final = "touchline_loop_stall_work_seconds"
_SHORT: Final = f'{_STALLS}_bucket{{le="0.05"}}'


class Ground(Protocol):
    """A pipeline that can be besieged: `chaos.cluster.Cluster`, or a smaller one."""

    @property
    def settings(self) -> Settings: ...
    @property
    def gateway_url(self) -> str: ...
    @property
    def edge_urls(self) -> list[str]: ...
    @property
    def operators(self) -> Mapping[str, str]: ...
    def is_running(self, name: str) -> bool: ...
    def is_ready(self, name: str) -> bool: ...
    def revive(self, name: str) -> None: ...
    def pids(self) -> Mapping[str, Sequence[int]]:
        """The processes that run, by role; those of the servers too."""


class Watchman:
    """A thread for each role, and one that starts again what has ended, as a supervisor does."""

    def __init__(self, ground: Ground, *, supervises: bool = True) -> None:
        self._ground, self._supervises = ground, supervises
        self._stopping = threading.Event()
        self._answers: defaultdict[str, list[float]] = defaultdict(list)
        self._peaks: defaultdict[str, float] = defaultdict(float)
        self._locking = threading.Lock()
        #: Roles that ended, and how often.
        self.deaths: Counter[str] = Counter()
        self._threads = [
            threading.Thread(target=self._ask, args=role, daemon=True) for role in ground.operators.items()
        ]
        self._threads.append(threading.Thread(target=self._look, daemon=True))

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End, and wait for it."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def fresh(self) -> tuple[dict[str, float], dict[str, float]]:
        """Of each role since it was asked last: its slowest answer in ms, and the most that it held in MB."""
        with self._locking:
            slowest = {role: max(answers) for role, answers in self._answers.items() if answers}
            peaks = dict(self._peaks)
            self._answers.clear()
            self._peaks.clear()
        return slowest, peaks

    def stalls(self) -> dict[str, float]:
        """How often each role says that its loop stood still for more than 50 ms of its own processor time.

        Nothing of a role that does not say.
        """
        answers = {role: get(f"{url}/metrics") for role, url in self._ground.operators.items()}
        return {role: long_stalls(answer[1].decode()) for role, answer in answers.items() if answer}

    def _ask(self, role: str, url: str) -> None:
        while not self._stopping.wait(_EVERY_S):
            began = time.monotonic()
            answered = get(f"{url}/healthz", timeout=_ANSWER_S) is not None
            took = (time.monotonic() - began) * 1000
            # One that has ended refuses at once, and counts as a death.
            if answered or took >= _ANSWER_S * 1000:
                with self._locking:
                    self._answers[role].append(took)

    def _look(self) -> None:
        while not self._stopping.wait(_EVERY_S):
            for role in self._ground.operators:
                if self._supervises and not self._ground.is_running(role):
                    self.deaths[role] += 1
                    self._ground.revive(role)
            found = self._ground.pids()
            for role in self._ground.operators:
                held = sum(map(megabytes, found.get(role, ())))
                with self._locking:
                    self._peaks[role] = max(self._peaks[role], held)


def megabytes(pid: int) -> float:
    """What a process holds; nothing where it ends at this very moment."""
    with contextlib.suppress(psutil.Error):
        return float(psutil.Process(pid).memory_info().rss / 1e6)
    return 0.0


def long_stalls(metrics: str) -> float:
    """Of a role's metrics: its stalls of more than 50 ms of work."""
    values = dict(line.rpartition(" ")[::2] for line in metrics.splitlines() if line.startswith(_STALLS))
    return float(values.get(f"{_STALLS}_count", 0.0)) - float(values.get(_SHORT, 0.0))
