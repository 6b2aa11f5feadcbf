"""The role `stream`: puts the parts together, runs them until asked to stop, and stops them in order."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final, cast

from kernel.clock import Clock
from kernel.health import Health
from kernel.kafka import client_config, wait_for_kafka
from kernel.logs import get_logger
from kernel.metrics import ACCEPTED, CONSUMER_LAG, REJECTED, REPEATED, REPLACED, STREAM_LATENCY
from kernel.ops import OpsServer
from kernel.settings import Settings
from kernel.topics import topic_names
from streams.app import make_app
from streams.channels import FIRST_VERSION, Channels
from streams.judge import Judge, Outcome
from streams.repeats import Repeats
from streams.transport.batch import Place, Record
from streams.transport.driver import Consumer
from streams.transport.sink import Sink

_log = get_logger("touchline.stream")

#: How long turns under way have to finish at the end, and Faust to leave the group after them.
_STOP_S: Final = 10.0
_LAG_EVERY_S: Final = 1.0


class Worker:
    """A worker's state: a judge for each partition that it reads."""

    def __init__(self, settings: Settings, clock: Clock, health: Health) -> None:
        self._settings, self._clock, self._health = settings, clock, health
        self._names = topic_names(settings)
        self._kind_of = {topic: kind for kind, topic in self._names.ingest.items()}
        self._judges: dict[Place, Judge] = {}
        self.positions: dict[Place, int] = {}
        partitions = settings.topics.partitions
        self._channels = Channels(lambda _: (FIRST_VERSION,), ingest=partitions, fanout=partitions)

    @property
    def topics(self) -> frozenset[str]:
        return frozenset(self._kind_of)

    async def opening(self, starts: Mapping[Place, int]) -> Mapping[Place, int]:
        self._judges = {place: self._judge(place) for place in starts}
        self.positions = {place: max(0, start) for place, start in starts.items()}
        self._health.ok("partitions")
        _log.info("reading", partitions=len(starts))
        return starts

    async def closing(self) -> None:
        self._judges = {}
        self._health.fail("partitions", "the group is sharing them out")

    def fold(self, place: Place, records: list[Record]) -> Outcome:
        judge = self._judges[place]
        outcome = judge.fold(records)
        self.positions[place] = records[-1].offset + 1
        kind = judge.kind
        if outcome.accepted:
            ACCEPTED.labels(kind).inc(outcome.accepted)
        if outcome.repeated:
            REPEATED.labels(kind).inc(outcome.repeated)
        if outcome.replaced:
            REPLACED.labels(kind).inc(outcome.replaced)
        for reason, count in outcome.rejected.items():
            REJECTED.labels(reason).inc(count)
        STREAM_LATENCY.observe(max(0, self._clock.now_ms() - records[0].append_ms) / 1000)
        return outcome

    def _judge(self, place: Place) -> Judge:
        repeats = Repeats(round(self._settings.stream.repeat_window_s * 1000))
        kind = self._kind_of[place.topic]
        return Judge(
            kind,
            place.partition,
            names=self._names,
            channels=self._channels,
            epoch_of=lambda _p, _o: 1,
            repeats=repeats,
        )


async def run_worker(settings: Settings, clock: Clock, stop: asyncio.Event) -> None:
    """Run until `stop` is set, or an error comes that nobody has thought about: that one is raised."""
    health = Health("kafka", "partitions")
    ops = OpsServer(health, settings.stream.host, settings.stream.port)
    await ops.start()
    try:
        await wait_for_kafka(settings)
        health.ok("kafka")
        await _work(settings, clock, health, stop)
    finally:
        await ops.stop()


async def _work(settings: Settings, clock: Clock, health: Health, stop: asyncio.Event) -> None:
    worker = Worker(settings, clock, health)
    sink = Sink(client_config(settings), linger_ms=2)
    app = make_app(settings, worker, sink, worker.topics)
    app.finalize()
    await app.start()
    consumer = cast("Consumer", app.consumer)
    lag = asyncio.create_task(_report_lag(consumer, worker))
    asked = asyncio.create_task(stop.wait())
    try:
        waited: set[asyncio.Future[Any]] = {asked, app.fatal, lag}
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        if not asked.done():
            await (app.fatal if app.fatal.done() else lag)
        await consumer.settle(_STOP_S)
        await asyncio.wait_for(app.stop(), _STOP_S)
        _log.info("stopped, with all that was read committed")
    finally:
        asked.cancel()
        lag.cancel()


async def _report_lag(consumer: Consumer, worker: Worker) -> None:
    while True:
        await asyncio.sleep(_LAG_EVERY_S)
        total: dict[str, int] = dict.fromkeys(worker.topics, 0)
        for place, position in worker.positions.items():
            if consumer.reader is not None:
                total[place.topic] += consumer.reader.lag(place, position)
        for topic, behind in total.items():
            CONSUMER_LAG.labels(topic).set(behind)
