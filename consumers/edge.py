"""An edge's process: takes viewers when the rings are warm, moves them on, leaves when asked to."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from consumers.assembly import parts_of
from consumers.cluster.control import ControlTopics
from consumers.cluster.departure import depart
from consumers.cluster.partitions import Partition
from consumers.cluster.reader import Reader
from consumers.cluster.reader_plan import start_readers
from consumers.delivery.broadcast import WRITE_MODE
from consumers.delivery.hub import Raw
from consumers.delivery.retractions import TakingBack
from consumers.feeds.feeds import History
from consumers.service.tasks import contained, regularly
from consumers.transport.listener import listen
from consumers.transport.routes import fallback_routes, plain_routes
from control.edges.budget_shares import PUBLISH_S
from control.edges.presence import BEAT_S
from control.entity.tables import Tables
from control.state import ControlState
from control.topic_tables.follower import TableThread
from history.retractions import TakenBack
from kernel.clock import Clock
from kernel.errors import TouchlineError
from kernel.log.first_write import PRODUCER
from kernel.log.kafka import wait_for_kafka
from kernel.log.positions import OVERVIEW_SHARD, Kind, Shard
from kernel.log.topics import topic_names
from kernel.process.health import Health
from kernel.process.logs import get_logger
from kernel.process.metrics import DELIVERED, EDGE_LATENCY, RING_BYTES, SLOW_VIEWERS
from kernel.settings.reading import Settings

_log = get_logger("touchline.edge")


class Edge:
    """One edge."""

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock,
        history: History,
        state: ControlState,
        on_disk: Tables | None = None,
        leave: Callable[[], None] | None = None,
    ) -> None:
        self._settings, self._clock, self._on_disk, edge = settings, clock, on_disk, settings.edge
        self.name = edge.name or f"{edge.host}:{edge.port}"
        self.health = Health("kafka", "rings", "tables", "channels", PRODUCER)
        self._loop = asyncio.get_running_loop()
        self._failed: asyncio.Future[None] = self._loop.create_future()
        self._names = topic_names(settings)
        parts = parts_of(settings, clock, self.name, history=history, state=state)
        self.service, self._hub, self._looking = parts.service, parts.hub, parts.looking
        self._poster, self._answers, self._attachments = parts.poster, parts.answers, parts.attachments
        self._heartbeat, self._served = parts.heartbeat, parts.served
        self._places, self._shares, self._traces = parts.places, parts.shares, parts.traces
        self._leave_all = leave  # of processes that share the port: asks for all of them to leave
        #: Whether partitions came or went since the last look at who has to move.
        self._changed = False
        self._recovery: asyncio.Task[None] | None = None
        self._on_disk = on_disk
        self._control = ControlTopics(
            settings, clock, self.service, state, shares=parts.shares, signals=parts.signals
        )
        self.taking_back = TakingBack(
            *(self._hub, self.service.subscriptions.backfill, TakenBack(state.moderation)),
            self._loop.call_later,
        )
        self._readers: list[Reader] = []
        self._tables: TableThread | None = None
        self._server: asyncio.Server | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set; a request to drain sets it. Raises what makes going on impossible."""
        plain = plain_routes(self.service.admission.tokens, self.health, self._leave_all or stop.set)
        routes = {**plain, **fallback_routes(self.service)}
        self._server = await listen(self.service, routes, share_port=self._leave_all is not None)
        chores = [
            self._loop.create_task(work)
            for work in (
                self.service.admission.sweep(),
                self.service.messenger.run(),
                self.beat(),
                self._send_places(),
                regularly(PUBLISH_S, "what users took", self._publish_shares),
                self._looking.sweep_forever(),
            )
        ]
        asked: asyncio.Future[Any] = self._loop.create_task(stop.wait())
        writing = self._loop.create_task(self._write_first())
        try:
            waiting = self._loop.create_task(wait_for_kafka(self._settings))
            await asyncio.wait([waiting, asked], return_when=asyncio.FIRST_COMPLETED)
            if waiting.done():
                self.health.ok("kafka")
                self._read()
                await asyncio.wait([asked, self._failed, *chores], return_when=asyncio.FIRST_COMPLETED)
                for ended in (self._failed, *chores):
                    if ended.done():
                        ended.result()
                self._heartbeat.leaving = True
                await depart(self.service.admission, self.health, seconds=self._settings.edge.drain_s)
            waiting.cancel()
        finally:
            for task in (asked, writing, *chores):
                task.cancel()
            await asyncio.gather(asked, writing, *chores, return_exceptions=True)
            await self._close()

    def _read(self) -> None:
        self._readers = start_readers(
            self._settings, self._traces, name=self.name, listener=self, loop=self._loop, clock=self._clock
        )
        self._tables = self._control.follow(self.name, self.health, self._tables_read)
        if self._on_disk is not None:
            self._on_disk.start()
        self._answers.begin()

    def _tables_read(self) -> None:
        # Both, before it opens: whoever comes last finds nothing missing.
        self.health.ok("tables")
        self.health.ok("channels")
        self._looking.tables_read()
        self._open()

    # ── chores ───────────────────────────────────────────────────────────────────────────────────────

    async def beat(self) -> None:
        """Every two seconds: a heartbeat, viewers' numbers, and a look at who has to move."""
        while True:
            await asyncio.sleep(BEAT_S)
            if self.service.admission.open or self._heartbeat.leaving:
                # Each of them by itself: what fails now is tried again in two seconds, and all else goes on.
                await contained("the heartbeat", self._publish_heartbeat())
                await contained("the viewers' numbers", self._notify_of_numbers())
                RING_BYTES.set(self._hub.bytes)
                SLOW_VIEWERS.set(sum(1 for viewer in self.service.admission.viewers() if viewer.paused))
                if self._changed:
                    self._changed = self.service.subscriptions.move(self._serves, self._elsewhere) > 0

    async def _publish_heartbeat(self) -> None:
        for key, value in self._heartbeat.parts(self._served.partitions()):
            self._publish(self._names.presence, key, value)
            await asyncio.sleep(0)

    async def _notify_of_numbers(self) -> None:
        for _ in self._heartbeat.push():
            await asyncio.sleep(0)

    def _beat_now(self) -> None:
        """All of it at once, where others wait for what it says of partitions: that is in the first part."""
        key, value = next(self._heartbeat.parts(self._served.partitions()))
        self._publish(self._names.presence, key, value)

    def _serves(self, kind: Kind, shard: Shard) -> bool:
        return self._served.serves(kind, shard.key)

    def _elsewhere(self, shard: Shard) -> str | None:
        return self._served.elsewhere(shard.key)

    async def _publish_shares(self) -> None:
        for key, value in self._shares.records():
            self._publish(self._names.shares, key, value)
            await asyncio.sleep(0)

    async def _send_places(self) -> None:
        while True:
            await contained("what was acknowledged", self._places.run())

    def _publish(self, topic: str, key: str, value: bytes | None) -> None:
        """Write without waiting; the next word replaces one that is lost."""
        with contextlib.suppress(TouchlineError):
            self._poster.post_soon(topic, key, value)

    # ── from the readers (it is their Listener) ──────────────────────────────────────────────

    def take(self, topic: str, records: list[Raw]) -> None:
        location = topic == self._names.fanout_location
        self.service.feeds.broadcasts.sift(() if location else records)
        deliveries = self._hub.take(topic, self._looking.positions.sift(records) if location else records)
        if deliveries and topic != self._names.ops:  # figures do not count themselves
            DELIVERED.inc(deliveries)
            EDGE_LATENCY.observe(max(0, self._clock.now_ms() - self._hub.server_ts) / 1000)

    def assigned(self, places: set[Partition], whole: set[Partition], counts: dict[str, int]) -> None:
        self._served.total = counts.get(self._names.fanout_live, self._served.total)
        self._served.assigned(places, whole)
        self._hub.whole |= whole
        self._settle()

    def filled(self, place: Partition) -> None:
        self._served.filled(place)
        self._settle()

    def _settle(self) -> None:
        if self._served.settled:
            self._changed = True
            self.health.ok("rings")
            self._open()
            self._beat_now()

    def revoked(self, places: set[Partition]) -> None:
        self._served.revoked(places)
        self._hub.whole -= places
        self._changed = True
        self._beat_now()
        # From here on these rings miss what comes. Their viewers wait where they are, and are sent on.
        self.service.subscriptions.suspend(self._serves)
        kept = OVERVIEW_SHARD.key.encode()
        self._hub.drop(lambda key: key != kept and not self._served.serves(Kind.CHAT, key.decode()))

    def trouble(self, why: str) -> None:
        self.health.fail("kafka", why)
        if self._recovery is None or self._recovery.done():
            self._recovery = self._loop.create_task(self._recover())

    async def _recover(self) -> None:
        """Kafka was away. The readers go on by themselves; this sees that it answers again."""
        await wait_for_kafka(self._settings)
        self.health.ok("kafka")

    def failed(self, error: BaseException) -> None:
        if not self._failed.done():
            self._failed.set_exception(error)

    async def _write_first(self) -> None:
        await self._poster.first_write(self.health)
        self._open()

    def _open(self) -> None:
        """Viewers are taken when everything that they need is here."""
        if self.health.ready and not self.service.admission.open:
            self.service.admission.open = True
            _log.info("edge is ready", edge=self.name, cell=self._heartbeat.cell, writes=WRITE_MODE)

    async def _close(self) -> None:
        self.service.admission.open = False
        if self._recovery is not None:
            self._recovery.cancel()
        if self._server is not None:
            self._server.close()
        threads = [thread for thread in (*self._readers, self._tables) if thread is not None]
        for thread in threads:
            thread.stop()
        for thread in threads:
            await asyncio.to_thread(thread.join)
        if self._on_disk is not None:
            await self._on_disk.stop()
        if threads:
            for key, value in self._heartbeat.farewell():
                self._publish(self._names.presence, key, value)
            self._places.flush(all_of_it=True)
        await self.service.close()
        await self._attachments.close()
        await asyncio.to_thread(self._answers.close)
        await self._poster.close()
