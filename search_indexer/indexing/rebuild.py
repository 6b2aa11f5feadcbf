"""Building the index anew from the log, beside the one that is searched; swapping when it has caught up."""

import asyncio
from collections.abc import Callable
from typing import Final

from history.sources.elasticsearch_client import elastic_client
from kernel.clock import Clock
from kernel.log.kafka import wait_for_kafka
from kernel.process.health import Health
from kernel.process.logs import get_logger
from kernel.settings.reading import Settings
from search_indexer.indexing.indexer import Indexer
from search_indexer.indexing.source import EventSource
from search_indexer.indexing.state import IndexState

_log = get_logger("touchline.index")

_SHOW_S: Final = 0.5
#: Called with (records read, records there are).
Show = Callable[[int, int], None]


async def rebuild(settings: Settings, clock: Clock, stop: asyncio.Event, show: Show) -> int | None:
    """Build a new generation and make it the live one; its number, or None where `stop` came first.

    Indexers that run meanwhile go on writing to the old generation, and follow when the new one is live.
    """
    await wait_for_kafka(settings, attempts=5)
    async with elastic_client(
        settings, timeout_s=60, connections=settings.indexer.parallel_requests + 2
    ) as client:
        state = IndexState(client, settings, clock)
        generation = await state.begin()
        source = EventSource(settings, clock, group=None)
        indexer = Indexer(settings, clock, client, source, health=Health(), follow=False)
        finished = False
        try:
            await indexer.open(generation)
            await indexer.take_all()
            total = await indexer.remaining()
            shown_at = clock.monotonic()
            while not stop.is_set():
                read = await indexer.step()
                # The brokers are asked for each partition: not after every batch.
                if read and clock.monotonic() - shown_at < _SHOW_S:
                    continue
                left, shown_at = await indexer.remaining(), clock.monotonic()
                total = max(total, left)
                show(total - left, total)
                if not read and not left:
                    finished = True
                    break
            await indexer.drain()
            await indexer.refresh()
            if finished:
                await state.swap(generation)
                _log.info("the new index is live", generation=generation)
        finally:
            await indexer.close()
            if not finished:
                await state.drop(generation)
    return generation if finished else None
