"""The role `stream`: puts the parts together, runs them until asked to stop, and stops them in order."""

import asyncio
import contextlib
import gc
import os
import sys
from typing import Any, Final, NoReturn, cast

from control.channels.lists import SPREAD
from control.counts import count_type
from control.nearby.inside import inside_type
from control.state import ControlState
from control.topic_tables.follower import TableThread
from kernel.clock import Clock
from kernel.errors import TouchlineError
from kernel.log.first_write import PRODUCER
from kernel.log.kafka import client_config, wait_for_kafka, watch_kafka
from kernel.log.lag import LagGauge
from kernel.log.positions import Kind
from kernel.log.topics import topic_names
from kernel.process.health import Health
from kernel.process.logs import get_logger
from kernel.process.metrics import OUTPUTS_UNDER_WAY
from kernel.process.ops_port import OpsServer
from kernel.settings.reading import Settings
from schemas.registry import wait_for_registry
from streams.app import make_app
from streams.transport.driver import BatchApp, Consumer
from streams.transport.sink import Sink
from streams.upkeep.channel_manager import ChannelManager
from streams.worker import Worker

_log = get_logger("touchline.stream")

#: How long turns under way have to finish at the end, and Faust to leave the group after them.
_STOP_S: Final = 10.0
_LOOK_EVERY_S: Final = 2.0
#: A million channels are read in twenty seconds; if they cannot be in this time, Kafka is not well.
_CAUGHT_UP_S: Final = 120.0
#: Channels whose records a worker keeps: it goes by those of all that are posted to.
_REMEMBERED: Final = 100_000


async def run_worker(settings: Settings, clock: Clock, stop: asyncio.Event) -> None:
    """Run until `stop` is set, or an error comes that nobody has thought about: that one is raised."""
    health = Health("kafka", "registry", "tables", PRODUCER, "partitions")
    ops = OpsServer(health, settings.stream.host, settings.stream.port)
    await ops.start()
    try:
        await wait_for_registry(settings, stop, health)
        if stop.is_set():
            return
        await wait_for_kafka(settings)
        watch = asyncio.create_task(watch_kafka(settings, health))
        await _work(settings, clock, health, stop)
        watch.cancel()
    except TouchlineError as error:
        _log.error("stopped", code=error.code, reason=str(error))
        _die()
    except Exception:
        _log.exception("stopped by an unexpected error")
        _die()
    finally:
        await ops.stop()


def _die() -> NoReturn:
    """End the process at once. Faust's tasks and threads may hang when they are cancelled, and nothing that
    they could still do is wanted: what was not committed is read again."""
    sys.stderr.flush()
    os._exit(1)


async def _work(settings: Settings, clock: Clock, health: Health, stop: asyncio.Event) -> None:
    names, config = topic_names(settings), client_config(settings)
    stream = settings.stream
    # Viewers wait for the fan-out; the log of events may be a moment behind it. Answers go with the log: who
    # is told that an event is accepted may look for it there.
    waited_for = {names.fanout(kind) for kind in Kind} | {names.attachments, names.retractions}
    apart = (waited_for, {*names.events.values(), names.answers})
    sink = Sink(config, linger_ms=stream.linger_ms, clock=clock, max_queued=stream.max_queued, apart=apart)
    known = asyncio.Event()

    def fail(error: BaseException) -> None:
        app.fail(error)

    state, on_disk = ControlState.on_disk(
        *(settings, clock, "stream"),
        listing=SPREAD,
        also=[count_type(settings), inside_type(settings)],
        remembered=max(_REMEMBERED, settings.state.remembered),
        on_failed=fail,
    )
    state.on_known.append(known.set)
    worker = Worker(settings, clock, health, sink, state, tables=on_disk)
    channel_manager = ChannelManager(settings, clock, worker)
    writing = asyncio.create_task(_first_write(sink, names.presence, health))
    app = make_app(settings, clock, worker, sink, worker.topics, on_committing=worker.committing)
    fatal = app.fatal
    tables = state.tables("presence")
    following = TableThread(
        *(settings, clock, tables),
        name="stream-tables",
        health=health,
        condition="tables",
        on_caught_up=state.caught_up,
    )
    following.start()
    on_disk.start()
    await _until(known, fatal)
    health.ok("registry")
    app.finalize()
    await app.start()
    # What is there by now stays: a full collection looked through all of it for 70 ms, the longest of pauses.
    gc.collect()
    gc.freeze()
    looking = asyncio.create_task(_look(app, worker, channel_manager))
    telling = asyncio.create_task(worker.crowd.run(app.check_awake, sink.barrier))
    counting = asyncio.create_task(_count(worker))
    posting = asyncio.create_task(worker.scheduled.run(app.check_awake, sink.barrier))
    asked = asyncio.create_task(stop.wait())
    try:
        working = (looking, telling, counting, posting)
        waited: set[asyncio.Future[Any]] = {asked, fatal, *working}
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        writing.cancel()
        if not asked.done():
            await next(ended for ended in (fatal, *working) if ended.done())
        looking.cancel()
        telling.cancel()
        posting.cancel()
        await cast("Consumer", app.consumer).settle(_STOP_S)
        await asyncio.wait_for(app.stop(), _STOP_S)
        _log.info("stopped, with all that was read committed")
    finally:
        for task in (asked, looking, telling, counting, posting):
            task.cancel()
        following.stop()
        await on_disk.stop()


async def _until(known: asyncio.Event, fatal: "asyncio.Future[None]") -> None:
    """Wait for what is known of channels; raises what ends the worker before that."""
    waits = asyncio.create_task(known.wait())
    both: set[asyncio.Future[Any]] = {waits, fatal}
    await asyncio.wait(both, timeout=_CAUGHT_UP_S, return_when=asyncio.FIRST_COMPLETED)
    waits.cancel()
    if fatal.done():
        fatal.result()
    if not known.is_set():
        raise TouchlineError("unavailable", "The channels' records were not read from Kafka in time.")


async def _first_write(sink: Sink, topic: str, health: Health) -> None:
    # An output that is lost ends the worker all the same: whoever writes the next one hears of it.
    with contextlib.suppress(TouchlineError):
        await sink.first_write(topic)
        health.ok(PRODUCER)


async def _count(worker: Worker) -> None:
    while True:
        await asyncio.sleep(_LOOK_EVERY_S)
        await worker.keep_bounds()


async def _look(app: BatchApp, worker: Worker, channel_manager: ChannelManager) -> None:
    consumer, gauge = cast("Consumer", app.consumer), LagGauge()
    while True:
        await asyncio.sleep(_LOOK_EVERY_S)
        await channel_manager.look()
        worker.look()
        lags: dict[str, dict[int, int | None]] = {topic: {} for topic in worker.topics}
        for place, position in worker.positions.items():
            if consumer.reader is not None:
                lags[place.topic][place.partition] = consumer.reader.lag(place, position)
        OUTPUTS_UNDER_WAY.set(app.sink.queued)
        gauge.tell(lags)
