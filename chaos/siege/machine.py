"""What each process takes of this machine's cores, and for how long its first thread waits for one.

Everything runs on one machine here: the pipeline, its servers, and the attackers, who have machines of their
own elsewhere. What a loop waits for a core is not what somebody did to it.
"""

import contextlib
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

_PROC: Final = Path("/proc")


class Time(NamedTuple):
    """Seconds of processor time of all its threads, and that the first one was ready and had no core."""

    used: float = 0.0
    waited: float = 0.0


class Meter:
    """Reads processes, by name, each time that it is asked; how much they took since the last time."""

    def __init__(self) -> None:
        self._last: dict[int, Time] = {}
        self._at = time.monotonic()

    def fresh(self, named: Mapping[str, Iterable[int]]) -> tuple[dict[str, float], dict[str, float]]:
        """Name -> cores that its processes used, and the share of the time that one of them waited."""
        now = time.monotonic()
        seconds, self._at = max(1e-3, now - self._at), now
        read = {pid: found for pids in named.values() for pid in pids if (found := read_time(pid))}
        used, waited = {}, {}
        for name, pids in named.items():
            spent = [_less(read[pid], self._last.get(pid, Time())) for pid in pids if pid in read]
            used[name] = sum(one.used for one in spent) / seconds
            waited[name] = max((one.waited for one in spent), default=0.0) / seconds
        self._last = read
        return used, waited


def _less(now: Time, before: Time) -> Time:
    return Time(now.used - before.used, now.waited - before.waited)


def read_time(pid: int) -> Time | None:
    """None where there is no such process, or no such file on this system."""
    try:
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        waited = (_PROC / str(pid) / "schedstat").read_text().split()[1]
    except (OSError, IndexError):
        return None
    ticks = os.sysconf("SC_CLK_TCK")
    return Time((int(fields[11]) + int(fields[12])) / ticks, int(waited) / 1e9)


def apart() -> None:
    """This process gets a session of its own: Linux shares cores by these, and each role has one.

    With less than a role's share attackers are of straw: what they cannot do proves nothing.
    """
    with contextlib.suppress(OSError):  # it has one already
        os.setsid()
