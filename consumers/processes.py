"""Several edges on one port: a process each, and the kernel spreads the viewers (SO_REUSEPORT).

Each is an edge of its own, with a name of its own; viewers do not see that there are several. One that ends
by itself is started again.
"""

import asyncio
import os
import sys
from typing import Final

from kernel.errors import TouchlineError
from kernel.logs import get_logger
from kernel.settings import PREFIX, Settings

_log = get_logger("touchline.processes")
_AGAIN_S: Final = 1.0


async def run_many(settings: Settings, count: int, stop: asyncio.Event) -> None:
    """Run so many edges until `stop` is set; then each drains."""
    if not hasattr(__import__("socket"), "SO_REUSEPORT"):
        raise TouchlineError("bad_setting", "This system cannot share a port: leave out --processes.")
    await asyncio.gather(*(_keep(settings, number, stop) for number in range(1, count + 1)))


async def _keep(settings: Settings, number: int, stop: asyncio.Event) -> None:
    edge = settings.edge
    name = f"{edge.name or f'{edge.host}:{edge.port}'}/{number}"
    while not stop.is_set():
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "touchline", "edge", "--share-port"),
            env={**os.environ, f"{PREFIX}EDGE_NAME": name},
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
        _log.warning("an edge process ended: it is started again", edge=name, code=ended.result())
        await asyncio.sleep(_AGAIN_S)
