"""An edge's process: puts the parts together, takes viewers when the rings are warm, leaves when asked to."""

import asyncio
import contextlib
import secrets
from collections.abc import Callable
from functools import partial
from typing import Any

from consumers.cluster.control import ControlTopics
from consumers.cluster.departure import depart
from consumers.cluster.heartbeat import Heartbeat
from consumers.cluster.partitions import Partition, ServedPartitions
from consumers.cluster.places import PlaceBook
from consumers.cluster.reader import Reader
from consumers.cluster.readers import start_readers
from consumers.delivery.backfill import Backfill
from consumers.delivery.broadcast import WRITE_MODE
from consumers.delivery.hub import Hub, Raw
from consumers.delivery.records import reader_for
from consumers.delivery.taking_back import TakingBack
from consumers.delivery.traces import TracedBook, open_traces
from consumers.feeds.feeds import History
from consumers.feeds.reading import feeds_of, looks_of
from consumers.messenger.messenger import Messenger
from consumers.messenger.signals import Signals
from consumers.nearby.looking import Looking
from consumers.nearby.positions import Positions
from consumers.service.admission import Admission
from consumers.service.attachments import AskAttachments
from consumers.service.ops.crowd import CrowdRequests
from consumers.service.ops.nearby import NearbyRequests
from consumers.service.ops.places import PlaceRequests
from consumers.service.ops.publishing import Publishing
from consumers.service.ops.requests import Requests
from consumers.service.ops.rooms import RoomRequests
from consumers.service.ops.subscriptions import Subscriptions
from consumers.service.poster import KafkaPoster
from consumers.service.service import Service
from consumers.service.tasks import Tasks, contained, regularly
from consumers.service.tokens import tokens_of
from consumers.transport.handshake import PATH
from consumers.transport.listener import listen
from consumers.transport.routes import fallback_routes, plain_routes
from control.commands.answers import Answers
from control.commands.sending import CommandSender
from control.edges.presence import BEAT_S
from control.edges.shares import SAY_S, DoorShares
from control.entity.tables import Tables
from control.following.follower import TableThread
from control.state import ControlState
from history.taken_back import TakenBack
from kernel.access.hosts import loopback_origins
from kernel.access.signing import Signer
from kernel.access.tokens import is_loopback
from kernel.clock import Clock
from kernel.errors import TouchlineError
from kernel.fairness.budgets import DoorBudgets
from kernel.fairness.slots import Slots
from kernel.fairness.turns import Turns
from kernel.log.first_write import PRODUCER
from kernel.log.kafka import wait_for_kafka
from kernel.log.positions import OVERVIEW_SHARD, Kind, Shard
from kernel.log.topics import topic_names
from kernel.process.health import Health
from kernel.process.logs import get_logger
from kernel.process.metrics import DELIVERED, EDGE_LATENCY, RING_BYTES, SLOW_VIEWERS
from kernel.settings.reading import Settings
from schemas.registry import codec_for

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
        names = self._names = topic_names(settings)
        decode, tasks = reader_for(settings), Tasks()
        traces = self._traces = open_traces(settings, clock, decode)
        rings = {"ring_events": edge.ring_events, "ring_bytes": edge.ring_bytes}
        self._hub = Hub(decode, **rings, selective=names.fanout_location)
        positions = Positions.of_hub(self._hub, clock, settings.nearby.inactive_s)
        now_ms = state.presence.broker_ms
        self._looking = Looking(settings.nearby, clock, state.consent, positions, decode, now_ms=now_ms)
        self._poster = KafkaPoster(settings, self._loop)
        self._answers, self._attachments = Answers(settings), AskAttachments(settings, clock)
        self._heartbeat = Heartbeat(
            edge=self.name,
            cell=edge.cell or self.name,
            url=edge.public_url or f"{'wss' if edge.tls_cert else 'ws'}://{edge.host}:{edge.port}{PATH}",
            hub=self._hub,
            clock=clock,
            codec=codec_for(settings, "presence"),
            presence=state.presence,
        )
        self._served = ServedPartitions(names, self._heartbeat.owner)
        acks, write = codec_for(settings, "ack"), partial(self._poster.post_soon, names.acks)
        self._places = PlaceBook(clock, acks, write, state.rooms.inboxes, state.rooms.erased_at)
        self._leave_all = leave  # of processes that share the port: asks for all of them to leave
        #: Whether partitions came or went since the last look at who has to move.
        self._changed = False
        self._recovery: asyncio.Task[None] | None = None
        budgets = DoorBudgets(settings.limits, clock)
        shares = self._shares = DoorShares(budgets, clock, codec_for(settings, "share"))
        admission = Admission(
            edge,
            tokens_of(settings, clock, state.revocations, new_id=partial(secrets.token_urlsafe, 12)),
            name=self.name,
            cell=self._heartbeat.cell,
            on_loopback=is_loopback(edge.host),
            clock=clock,
            pages=loopback_origins(settings.gateway.port),
            elsewhere=partial(shares.elsewhere, "connections"),
        )
        subscriptions = Subscriptions(
            self._hub,
            Backfill(history),
            state,
            self._served,
            most_of_a_user=edge.max_subscriptions_per_user,
            elsewhere=partial(shares.elsewhere, "subscriptions"),
            now_ms=clock.now_ms,
        )
        requests = Requests(
            history=history,
            readers=state.readers,
            rooms=state.rooms,
            counts=self._heartbeat,
            budgets=budgets,
            pages=Slots.of_pages(settings.limits),
            page_bytes=settings.limits.page_bytes,
        )
        rooms = RoomRequests(
            state.rooms,
            poster=self._poster,
            answers=self._answers,
            commands=CommandSender(settings, clock),
            history=history,
            budgets=budgets,
            clock=clock,
            most=settings.limits.rooms_of_a_user,
        )
        book = self._places if traces is None else TracedBook(self._places, traces)
        places = PlaceRequests(history=history, readers=state.readers, rooms=state.rooms, book=book)
        feeds = feeds_of(settings, decode, state, history=history, budgets=budgets, tasks=tasks)
        signals = Signals(
            clock, codec_for(settings, "signal"), partial(self._poster.post_soon, names.signals)
        )
        publishing = Publishing(
            poster=self._poster,
            history=history,
            channels=state,
            answers=self._answers,
            budgets=budgets,
            attachments=self._attachments,
            signer=Signer(settings.auth),
            tracing=None if traces is None else traces.tracing,
        )
        self.service = Service(
            edge,
            clock,
            admission,
            subscriptions,
            publishing,
            requests,
            Turns(clock),
            rooms,
            places,
            Messenger(
                door=rooms.door,
                history=history,
                book=self._places,
                places=places,
                requests=requests,
                subscriptions=subscriptions,
                admission=admission,
                signals=signals,
                looks=looks_of(settings, state, feeds.broadcasts, tasks),
                viewers=self._heartbeat.viewers,
                crowd=state.crowd,
                clock=clock,
                tasks=tasks,
            ),
            NearbyRequests(settings.nearby, self._looking, publishing, state.consent, budgets),
            feeds,
            CrowdRequests(
                *(settings, clock, state, history), by=(self._poster, self._answers), budgets=budgets
            ),
            tasks,
        )
        shares.holds("connections", self.service.admission.users, edge.max_connections_per_user)
        shares.holds("subscriptions", self.service.subscriptions.of_users, edge.max_subscriptions_per_user)
        self._control = ControlTopics(settings, clock, self.service, state, shares=shares, signals=signals)
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
                regularly(SAY_S, "what users took", self._say_shares),
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
                await contained("the heartbeat", self._say_all())
                await contained("the viewers' numbers", self._tell_all())
                RING_BYTES.set(self._hub.bytes)
                SLOW_VIEWERS.set(sum(1 for viewer in self.service.admission.viewers() if viewer.paused))
                if self._changed:
                    self._changed = self.service.subscriptions.move(self._serves, self._elsewhere) > 0

    async def _say_all(self) -> None:
        for key, value in self._heartbeat.parts(self._served.partitions()):
            self._publish(self._names.presence, key, value)
            await asyncio.sleep(0)

    async def _tell_all(self) -> None:
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

    async def _say_shares(self) -> None:
        for key, value in self._shares.say():
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
