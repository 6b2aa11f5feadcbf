"""A reader of notes as a process that a test may kill: says `ready`, then goes on following."""

import asyncio
import sys

from control.entity.tables import Tables
from kernel.clock import SystemClock
from kernel.settings.reading import load_settings
from tests.control.notes import note_type


async def main(role: str) -> None:
    settings, ready = load_settings(), asyncio.Event()
    failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    tables = Tables(
        settings,
        role,
        [note_type(f"{settings.topics.prefix}.notes")],
        clock=SystemClock(),
        on_ready=ready.set,
        on_failed=failed.set_exception,
    )
    tables.start()
    await ready.wait()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await failed


asyncio.run(main(sys.argv[1]))
