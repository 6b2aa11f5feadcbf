"""How late the machine makes those who touch nothing of the pipeline: two processes of their own.

`python -m chaos.siege.watching.onlooker` is one of them. They pass a word to and fro, as a request passes
through processes, with a little work at each step. By how much longer that takes is what all processes
together lack of cores: elsewhere each role has its own. What one role's work keeps others from does not
show: it counts.
"""

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from typing import Final

#: There and back so often, and the work of each step: a request passes about as many threads.
_STEPS: Final = 6
_WORK_S: Final = 0.0004
_EVERY_S: Final = 0.2


class Onlooker:
    """The two processes, as the harness hears them."""

    def __init__(self) -> None:
        self._took: list[float] = []
        self._process: asyncio.subprocess.Process | None = None
        self._hearing: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin."""
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", __name__),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        self._hearing = asyncio.create_task(self._hear())

    async def stop(self) -> None:
        """End both."""
        if self._process is not None and self._hearing is not None:
            self._hearing.cancel()
            await asyncio.gather(self._hearing, return_exceptions=True)
            self._process.kill()
            await self._process.wait()

    def fresh(self) -> list[float]:
        """How long it took each time, in ms, since this was asked last."""
        found, self._took = self._took, []
        return found

    async def _hear(self) -> None:
        assert self._process is not None  # noqa: S101 - it was started
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        while line := await self._process.stdout.readline():
            self._took.append(float(line))


def _work() -> None:
    until = time.thread_time() + _WORK_S
    while time.thread_time() < until:
        pass


def _answer() -> None:
    """The other one: until nobody asks any more."""
    while os.read(0, 1):
        _work()
        os.write(1, b".")


def _look() -> None:
    other = subprocess.Popen(
        [sys.executable, "-P", "-m", f"{__package__}.onlooker", "answer"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert other.stdin is not None  # noqa: S101 - both are pipes
    assert other.stdout is not None  # noqa: S101
    there, back = other.stdin.fileno(), other.stdout.fileno()
    while True:
        begun = time.monotonic()
        for _ in range(_STEPS):
            os.write(there, b".")
            os.read(back, 1)
            _work()
        os.write(1, b"%.2f\n" % ((time.monotonic() - begun) * 1000))
        time.sleep(_EVERY_S)


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):  # whoever asked has gone
        _answer() if sys.argv[1:] else _look()
