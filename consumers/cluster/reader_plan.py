"""Which fan-out topics an edge reads, by how many readers, and how far back each begins."""

import asyncio
from typing import Any, Final

from consumers.cluster.assignment import Assign, all_of, share_of
from consumers.cluster.reader import Listener, Reader
from consumers.delivery.traces import EdgeTraces
from kernel.clock import Clock
from kernel.log.kafka import client_config
from kernel.log.topics import cell_group, topic_names
from kernel.settings.reading import Settings

#: How many records of each partition an edge reads back when it starts.
FILL_RECORDS: Final = 20_000
#: Of locations only what somebody watches is kept, and nobody does yet; but the log may lag so far behind.
LOCATION_FILL: Final = 2_000
#: By how much this clock and the brokers' may differ.
_MARGIN_MS: Final = 10_000
#: The operators' figures of ten minutes.
OVERVIEW_FILL: Final = 600


def start_readers(
    settings: Settings,
    traces: EdgeTraces | None,
    *,
    name: str,
    listener: Listener,
    loop: asyncio.AbstractEventLoop,
    clock: Clock,
) -> list[Reader]:
    """Of a cell the live topic's partitions are shared out; all else every edge reads whole."""
    edge, names = settings.edge, topic_names(settings)

    def start(assign: Assign, **properties: Any) -> Reader:
        config = {
            "group_id": f"{settings.topics.prefix}-edge-{name}".replace(":", "-"),
            "client_id": name,
            "enable_auto_commit": False,
            "fetch_wait_max_ms": 100,
            "fetch_error_backoff_ms": 50,
            "queued_max_messages_kbytes": 16_384,
            # A reader that has caught up with its queue asks again at once, not after a second.
            "fetch_queue_backoff_ms": 10,
            **properties,
        }
        reader = Reader(
            client_config(settings, **config),
            assign,
            tick_s=edge.tick_ms / 1000,
            listener=listener,
            loop=loop,
            clock=clock,
            traces=traces,
        )
        reader.start()
        return reader

    # Whoever was active is to be found by who comes now: positions of that time are read back.
    active_ms = round(settings.nearby.inactive_s * 1000) + _MARGIN_MS
    since = {names.fanout_location: lambda: clock.now_ms() - active_ms}
    if not edge.cell:
        fanout = dict.fromkeys((names.fanout_live, names.fanout_location), FILL_RECORDS)
        return [start(all_of({**fanout, names.ops: OVERVIEW_FILL}, since))]
    group = {"group_protocol": "consumer", "enable_auto_commit": True, "auto_commit_interval_ms": 1000}
    shared = start(
        share_of(names.fanout_live, FILL_RECORDS), group_id=cell_group(settings, edge.cell), **group
    )
    return [shared, start(all_of({names.fanout_location: LOCATION_FILL, names.ops: OVERVIEW_FILL}, since))]
