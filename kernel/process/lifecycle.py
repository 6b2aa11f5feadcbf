"""The life of a role's process: one event loop, signals that ask it to stop, and an exit code that tells."""

import asyncio
import gc
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

from kernel.clock import SystemClock
from kernel.errors import TouchlineError
from kernel.process.logs import get_logger
from kernel.process.metrics import TASKS
from kernel.process.stalls import StallWatch

#: What has been made until then stays: all that a start makes, however long it takes.
_STARTED_S: Final = (5.0, 10.0, 20.0, 40.0, 80.0)
#: So soon a thread that works gives the interpreter to a loop that waits for it (decision 0134).
SWITCH_S: Final = 0.001


async def _with_signals(main: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    TASKS.set_function(lambda: len(asyncio.all_tasks(loop)))
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    watch = StallWatch(loop, SystemClock())
    watch.start()
    # To look through all that a start has made for garbage, again and again, holds the loop for 100 ms.
    for after_s in _STARTED_S:
        loop.call_later(after_s, gc.freeze)
    try:
        await main(stop)
    finally:
        watch.stop()


def run_role(main: Callable[[asyncio.Event], Awaitable[None]], *, has_threads: bool = False) -> int:
    """Run a role until `stop` is set by SIGTERM or SIGINT; 0 if it ended well, 1 if not.

    `has_threads`: beside its loop threads work for its users.

    An unexpected error ends the process: the supervisor starts it again, and it goes on from the log.
    That is safer than going on with a state that nobody has thought about.
    """
    log = get_logger("touchline.lifecycle")
    if has_threads:
        sys.setswitchinterval(SWITCH_S)
    try:
        if sys.platform == "win32":
            asyncio.run(_with_signals(main))
        else:
            import uvloop  # noqa: PLC0415 - it does not exist on Windows

            uvloop.run(_with_signals(main))
    except TouchlineError as error:
        log.error("stopped", code=error.code, reason=str(error))  # noqa: TRY400 - a sentence, not a traceback
        return 1
    except Exception:
        log.exception("stopped by an unexpected error")
        return 1
    return 0


async def unless(stop: asyncio.Event, waiting: Coroutine[Any, Any, object]) -> None:
    """Await, unless we are asked to stop first: then it is cancelled. What it raises is raised."""
    work, stopped = asyncio.create_task(waiting), asyncio.create_task(stop.wait())
    await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if work.done():
        work.result()
    else:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
