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
    """Seconds of processor time of all its threads, and that they were ready and had no core: the first one,
    and all of them."""

    used: float = 0.0
    waited: float = 0.0
    all_waited: float = 0.0


class Taken(NamedTuple):
    """What processes took since they were read last."""

    #: Name -> cores that it used; the share of the time that a first thread of it waited for one.
    used: dict[str, float]
    waited: dict[str, float]
    #: How many times as long all their work took for lack of cores: 1 where nobody waited.
    stretched: float = 1.0


class Meter:
    """Reads processes, by name, each time that it is asked."""

    def __init__(self) -> None:
        self._last: dict[int, Time] = {}
        self._at = time.monotonic()

    def fresh(self, named: Mapping[str, Iterable[int]], beside: Iterable[str] = ()) -> Taken:
        """Since the last time. Names that stand `beside` the others stretch nothing."""
        now = time.monotonic()
        seconds, self._at = max(1e-3, now - self._at), now
        read = {pid: found for pids in named.values() for pid in pids if (found := read_time(pid))}
        used, waited = {}, {}
        worked = waiting = 0.0
        for name, pids in named.items():
            spent = [_less(read[pid], self._last.get(pid, Time())) for pid in pids if pid in read]
            used[name] = sum(one.used for one in spent) / seconds
            waited[name] = max((one.waited for one in spent), default=0.0) / seconds
            if name not in beside:
                worked += sum(one.used for one in spent)
                waiting += sum(one.all_waited for one in spent)
        self._last = read
        return Taken(used, waited, 1.0 + waiting / worked if worked else 1.0)


def _less(now: Time, before: Time) -> Time:
    # Threads that have ended took their numbers with them.
    return Time(*(max(0.0, one - other) for one, other in zip(now, before, strict=True)))


def read_time(pid: int) -> Time | None:
    """None where there is no such process, or no such file on this system."""
    try:
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        waited = _waited(_PROC / str(pid))
    except (OSError, IndexError):
        return None
    of_all = 0.0
    for thread in (_PROC / str(pid) / "task").glob("*"):
        with contextlib.suppress(OSError, IndexError):  # it has ended meanwhile
            of_all += _waited(thread)
    ticks = os.sysconf("SC_CLK_TCK")
    return Time((int(fields[11]) + int(fields[12])) / ticks, waited, of_all)


def _waited(thread: Path) -> float:
    return int((thread / "schedstat").read_text().split()[1]) / 1e9


def apart() -> None:
    """This process gets a session of its own: Linux shares cores by these, and each role has one.

    With less than a role's share attackers are of straw: what they cannot do proves nothing.
    """
    with contextlib.suppress(OSError):  # it has one already
        os.setsid()
