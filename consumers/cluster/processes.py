"""Several edges on one port: a process each, and the kernel spreads the viewers (SO_REUSEPORT).

Each is an edge of its own, with a name of its own; viewers do not see that there are several. One
that ends by itself is started again. They leave together: one that is asked to drain asks the first process,
and when that is gone, however it went, they drain too.
"""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import Final

from kernel.clock import Clock
from kernel.errors import TouchlineError
from kernel.process.logs import get_logger
from kernel.settings.reading import PREFIX, Settings

_log = get_logger("touchline.processes")
_AGAIN_S: Final = 1.0
#: One that ends with an error sooner than this will do so again.
_STARTED_S: Final = 30.0


async def run_many(settings: Settings, count: int, stop: asyncio.Event, clock: Clock) -> None:
    """Run so many edges until `stop` is set; then each drains. Raises where they cannot even begin."""
    if not hasattr(socket, "SO_REUSEPORT"):
        raise TouchlineError("bad_setting", "This system cannot share a port: leave out --processes.")
    if settings.edge.cell:
        raise TouchlineError(
            "bad_setting",
            "TOUCHLINE_EDGE_CELL and --processes do not go together: edges of a cell send viewers to one"
            " another's addresses, and processes have one.",
            hint="Leave out one of the two.",
        )
    # Ends for the others when this process does, however it does.
    theirs, ours = os.pipe()
    try:
        keepers = [asyncio.create_task(_keep(settings, n, theirs, stop, clock)) for n in range(1, count + 1)]
        await asyncio.wait(keepers, return_when=asyncio.FIRST_EXCEPTION)
        stop.set()
        for outcome in await asyncio.gather(*keepers, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome
    finally:
        os.close(theirs)
        os.close(ours)


def follow(parent: int, stop: asyncio.Event) -> Callable[[], None]:
    """In one of them: leave when the first process is gone. Returns what asks it that all leave."""
    loop = asyncio.get_running_loop()

    def gone() -> None:
        loop.remove_reader(parent)
        _log.warning("the first process of this edge is gone: leaving")
        stop.set()

    loop.add_reader(parent, gone)
    return lambda: os.kill(os.getppid(), signal.SIGTERM)


async def _keep(settings: Settings, number: int, parent: int, stop: asyncio.Event, clock: Clock) -> None:
    edge = settings.edge
    name = f"{edge.name or f'{edge.host}:{edge.port}'}/{number}"
    while not stop.is_set():
        begun = clock.monotonic()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "touchline", "edge", "--share-port", str(parent)),
            env={**os.environ, f"{PREFIX}EDGE_NAME": name},
            pass_fds=(parent,),
            start_new_session=True,  # Ctrl-C reaches this process, which passes it on as SIGTERM
        )
        ended = asyncio.create_task(process.wait())
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({ended, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if stop.is_set():
            if process.returncode is None:
                process.terminate()
            await ended
            return
        code = ended.result()
        if code > 0 and clock.monotonic() - begun < _STARTED_S:
            raise TouchlineError(
                "start_failed",
                f"The edge process {name} ended with code {code} at once; its last line says why.",
            )
        _log.warning("an edge process ended: it is started again", edge=name, code=code)
        await asyncio.sleep(_AGAIN_S)
