"""The Faust app of a worker: its settings, its agents, and how they call the fold."""

import asyncio
import socket
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, Protocol, cast

from kernel.clock import Clock
from kernel.log.kafka import client_config
from kernel.log.records import Partition, Write
from kernel.log.topics import worker_group
from kernel.process.tracing import Tracing, open_tracing
from kernel.settings.reading import Settings
from streams.credentials import credentials
from streams.transport import driver
from streams.transport.batch import PartitionBatch, TopicBatch, slices
from streams.transport.driver import BatchApp, Committing, Consumer
from streams.transport.reader import Deliver, Reader
from streams.transport.sink import Sink

#: Records between two batches of the event loop, so that heartbeats and /readyz are answered under load.
_SLICE: Final = 250
#: And bytes: to judge a megabyte takes the loop as long as hundreds of ordinary events.
_SLICE_BYTES: Final = 512 * 1024
#: Above the sink's patience, so that one commit ends before the next begins.
_COMMIT_S: Final = 1.0
#: The least that brokers allow as they come.
_SESSION_S: Final = 6.0


def instance_id(settings: Settings) -> str | None:
    """The worker's name in the group; None where none can be told from another on this machine."""
    stream = settings.stream
    if stream.instance:
        return stream.instance
    return f"{socket.gethostname()}-{stream.port}" if stream.port else None


class Work(Protocol):
    """What a worker does with what it reads."""

    async def opening(self, starts: Mapping[Partition, int]) -> Mapping[Partition, int]:
        """These partitions are this worker's now; returns from where to read them."""

    async def closing(self) -> None:
        """None are any more."""

    def fold(self, parts: list[PartitionBatch]) -> list[Write]:
        """Judge these records; returns what is to be written of them, in this order."""


Fold = Callable[[list[PartitionBatch]], list[Write]]


def make_app(
    settings: Settings,
    clock: Clock,
    work: Work,
    sink: Sink,
    topics: frozenset[str],
    *,
    on_committing: Committing = lambda _: [],
) -> BatchApp:
    """An app that reads `topics` in batches, and writes what `work` makes of them to the sink."""
    driver.register()
    stream, config, group = settings.stream, client_config(settings), worker_group(settings)

    def new_reader(deliver: Deliver) -> Reader:
        return Reader({**config, "group.id": f"{group}-reader"}, deliver, clock=clock)

    app = BatchApp(
        group,
        broker=[f"batch://{server.strip()}" for server in settings.kafka.bootstrap_servers.split(",")],
        broker_credentials=credentials(settings.kafka.client),
        store=f"{stream.store}://",
        datadir=stream.table_dir,
        topic_partitions=settings.topics.partitions,
        topic_disable_leader=True,
        topic_allow_declare=True,
        web_enabled=False,
        table_standby_replicas=stream.standby_replicas,
        broker_commit_interval=_COMMIT_S,
        # A worker that dies is known again by its name: it goes on at once. One that does not come back has
        # its partitions shared out after the session's time.
        consumer_group_instance_id=instance_id(settings),
        broker_session_timeout=_SESSION_S,
        broker_heartbeat_interval=_SESSION_S / 4,
        consumer_auto_offset_reset="earliest",
        batch_topics=topics,
        sink=sink,
        clock=clock,
        new_reader=new_reader,
        on_opening=work.opening,
        on_closing=work.closing,
        on_committing=on_committing,
    )
    tracing = open_tracing(settings, "stream", clock)
    fold = work.fold if tracing is None else _traced(work.fold, tracing)
    for topic in sorted(topics):
        source = app.topic(topic, key_serializer="raw", value_serializer="raw")
        app.agent(source, name=topic)(_agent(app, fold, sink))
    return app


def _traced(fold: Fold, tracing: Tracing) -> Fold:
    """The same fold, which tells of the records that are traced. Without traces it is not there at all."""

    def folded(parts: list[PartitionBatch]) -> list[Write]:
        writes = fold(parts)
        for place, records in parts:
            told = ((record.headers, record.offset, record.append_ms) for record in records)
            tracing.records("judge", place.topic, place.partition, told)
        return writes

    return folded


def _agent(app: BatchApp, fold: Fold, sink: Sink) -> Callable[..., Any]:
    async def fold_batches(stream: Any) -> None:
        consumer = cast("Consumer", app.consumer)
        async for event in stream.noack().events():
            batch: TopicBatch = event.value
            # A round of the loop costs as much as three events, and a small batch is soon over.
            large = len(batch) > _SLICE or batch.size > _SLICE_BYTES
            for part in slices(batch, _SLICE, _SLICE_BYTES):
                await sink.ready()
                if not consumer.ledger.holds(batch):
                    break
                app.check_awake()
                if not await sink.put(fold(part), partial(consumer.ledger.holds, batch)):
                    break
                if large:
                    await asyncio.sleep(0)
            consumer.finish(batch)
            event.ack()

    return fold_batches
