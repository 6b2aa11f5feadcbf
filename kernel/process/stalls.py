"""Finds out when a role's event loop stands still, for how long and where: a thread asks it for an answer.

What counts is time in which the loop could have run: not that in which the machine gave it no processor. How
much the process itself worked meanwhile is told beside it: that is what somebody made it do, whatever else
the machine does.
"""

import asyncio
import contextlib
import os
import platform
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Final, NamedTuple

from kernel.clock import Clock
from kernel.process.logs import get_logger
from kernel.process.metrics import LOOP_STALL, LOOP_STALL_WORK

#: A stall is what lasts longer: nobody short of an operator may make a loop stand for it.
STALL_S: Final = 0.05
_ASK_S: Final = 0.025
#: Stalls come in bursts: so often a line is written about one.
_LINE_S: Final = 1.0
_FRAMES: Final = 8
#: The calls in which a loop waits for something to do, by machine: epoll_wait, epoll_pwait, epoll_pwait2.
_WAITING: Final = {"x86_64": {b"232", b"281", b"441"}, "aarch64": {b"22", b"441"}}

_log = get_logger("touchline.stalls")


class Stall(NamedTuple):
    """The loop stood still."""

    seconds: float
    #: Processor time: the loop's own thread's, or, where that waited for another one, the process's.
    worked_s: float
    place: str


Report = Callable[[Stall], None]


class StallWatch(threading.Thread):
    """Watches the loop of the thread that makes it, from `start` to `stop`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Clock, report: Report | None = None) -> None:
        super().__init__(name="stall-watch", daemon=True)
        self._loop, self._clock, self._report = loop, clock, report or _Lines(clock)
        self._watched = threading.get_ident()
        self._processor = _Processor()
        self._stopping, self._answered = threading.Event(), threading.Event()
        #: When the loop answered: by the clock, by its thread's processor time, by the process's.
        self._at = (0.0, 0.0, 0.0)

    def stop(self) -> None:
        """It ends within a moment; nobody need wait for it."""
        self._stopping.set()
        self._answered.set()

    def run(self) -> None:
        try:
            while not self._stopping.wait(_ASK_S):
                self._ask()
        finally:
            self._processor.close()

    def _ask(self) -> None:
        if self._processor.is_waiting():
            return  # it has nothing to do: to ask would wake it up, forty times a second
        self._answered.clear()
        try:
            self._loop.call_soon_threadsafe(self._answer)
        except RuntimeError:  # the loop is closed
            self._stopping.set()
            return
        (used, lacked), in_all = self._processor.read(), time.process_time()
        stood, places = 0.0, list[str]()
        self._at = (0.0, 0.0, 0.0)
        while not self._stopping.is_set():
            begun = self._clock.monotonic()
            answered = self._answered.wait(_ASK_S)
            now = self._at[0] if answered else self._clock.monotonic()
            # A process that was stopped for an hour did not stall for one: this thread was stopped too.
            stood += min(max(0.0, now - begun), 2 * _ASK_S)
            if answered:
                break
            places.append(self._place())
        now_lacked = self._processor.read()[1]
        # While the loop's thread holds the interpreter this one does not see time pass: then its work tells.
        own, could_run = self._at[1] - used, stood - (now_lacked - lacked)
        stalled = max(could_run, own)
        if stalled >= STALL_S and not self._stopping.is_set():
            # Another thread may have held the interpreter: then its work is what the loop waited for.
            worked = max(own, min(could_run, self._at[2] - in_all))
            # The first and the last may be of what came before and after.
            self._report(Stall(stalled, worked, places[(len(places) - 1) // 2] if places else "unknown"))

    def _answer(self) -> None:
        """In the loop."""
        self._at = self._clock.monotonic(), time.thread_time(), time.process_time()
        self._answered.set()

    def _place(self) -> str:
        frame = sys._current_frames().get(self._watched)
        return "" if frame is None else place_of(frame)


def place_of(frame: FrameType | None) -> str:
    """Where a thread is: the innermost calls first."""
    calls: list[str] = []
    while frame is not None and len(calls) < _FRAMES:
        name = Path(frame.f_code.co_filename)
        calls.append(f"{name.parent.name}/{name.name}:{frame.f_lineno} {frame.f_code.co_name}")
        frame = frame.f_back
    return " < ".join(calls)


class _Processor:
    """Of the thread that makes it: seconds of processor time that it used, and that it waited for."""

    def __init__(self) -> None:
        self._clock: int | None = None
        self._file: int | None = None
        self._call: int | None = None
        self._waiting = _WAITING.get(platform.machine(), set())
        with contextlib.suppress(OSError, AttributeError):  # not on every system
            self._clock = time.pthread_getcpuclockid(threading.get_ident())
        task = f"/proc/self/task/{threading.get_native_id()}"
        with contextlib.suppress(OSError):
            self._file = os.open(f"{task}/schedstat", os.O_RDONLY)
        if self._waiting:
            with contextlib.suppress(OSError):
                self._call = os.open(f"{task}/syscall", os.O_RDONLY)

    def read(self) -> tuple[float, float]:
        used = lacked = 0.0
        with contextlib.suppress(OSError, ValueError, IndexError):
            if self._clock is not None:
                used = time.clock_gettime(self._clock)
            if self._file is not None:
                lacked = int(os.pread(self._file, 100, 0).split()[1]) / 1e9
        return used, lacked

    def is_waiting(self) -> bool:
        """Whether the thread waits in its loop for something to do; False where the system does not tell."""
        if self._call is None:
            return False
        try:
            return os.pread(self._call, 16, 0).split(b" ", 1)[0] in self._waiting
        except OSError:
            return False

    def close(self) -> None:
        for file in (self._file, self._call):
            if file is not None:
                os.close(file)
        self._file = self._call = None


class _Lines:
    """Counts every stall, and writes about one a second."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last, self._unsaid = float("-inf"), 0

    def __call__(self, stall: Stall) -> None:
        LOOP_STALL.observe(stall.seconds)
        LOOP_STALL_WORK.observe(stall.worked_s)
        now = self._clock.monotonic()
        if now - self._last < _LINE_S:
            self._unsaid += 1
            return
        _log.warning(
            "the loop stood still",
            seconds=round(stall.seconds, 3),
            worked=round(stall.worked_s, 3),
            place=stall.place,
            others=self._unsaid,
        )
        self._last, self._unsaid = now, 0
