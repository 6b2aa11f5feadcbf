"""The indexer's process: put together, run until asked to stop."""

import asyncio
import contextlib
import gc
from collections.abc import Awaitable, Callable
from typing import Final

from elasticsearch import ApiError, TransportError

from history.sources.elasticsearch_client import elastic_client
from kernel.clock import Clock
from kernel.log.first_write import PRODUCER
from kernel.log.kafka import wait_for_kafka, watch_kafka
from kernel.log.topics import indexer_group
from kernel.process.health import Health
from kernel.process.lifecycle import unless
from kernel.process.logs import get_logger
from kernel.process.ops_port import OpsServer
from kernel.settings.reading import Settings
from schemas.registry import wait_for_registry
from search_indexer.indexing.expiry import Expiry
from search_indexer.indexing.indexer import Indexer
from search_indexer.indexing.source import EventSource

_log = get_logger("touchline.index")
_SWEEP_S: Final = 600.0


def calm_collector() -> None:
    """Have Python look for garbage cycles seldom.

    A batch is tens of thousands of objects that live for a moment and hold no cycles; looking through them
    over and over took a tenth of the indexer's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)


async def serve(settings: Settings, clock: Clock, stop: asyncio.Event) -> None:
    """Index until `stop` is set."""
    calm_collector()
    health = Health("kafka", "tables", "partitions", PRODUCER, "elasticsearch")
    ops = OpsServer(health, settings.indexer.host, settings.indexer.port)
    await ops.start()
    client = elastic_client(settings, timeout_s=60, connections=settings.indexer.parallel_requests + 4)
    try:
        await wait_for_registry(settings, stop, health)
        await unless(stop, wait_for_kafka(settings))
        if stop.is_set():
            return
        source = EventSource(settings, clock, group=indexer_group(settings), health=health)
        indexer = Indexer(settings, clock, client, source, health=health)
        await unless(stop, indexer.open())
        if not stop.is_set():
            health.ok("elasticsearch")
            source.subscribe()
            beside = [
                asyncio.create_task(_regularly(indexer.state.sweep)),
                asyncio.create_task(_regularly(indexer.make_days)),
                asyncio.create_task(_regularly(Expiry(client, settings, clock, source.retention).sweep)),
                asyncio.create_task(watch_kafka(settings, health)),
                asyncio.create_task(source.first_write(health)),
            ]
            try:
                await indexer.run(stop)
            finally:
                for task in beside:
                    task.cancel()
    finally:
        await client.close()
        await ops.stop()


async def _regularly(sweep: Callable[[], Awaitable[object]]) -> None:
    while True:
        # What cannot be taken away now is taken away the next time.
        with contextlib.suppress(ApiError, TransportError):
            await sweep()
        await asyncio.sleep(_SWEEP_S)
