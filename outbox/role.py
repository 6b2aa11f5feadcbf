"""The outbox's process: put together, run until asked to stop."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any, Final

from confluent_kafka import KafkaException

from control.channels.lists import CLOSED
from control.commands.sending import CommandSender
from control.entity.tables import Tables
from control.outlets.delivery import delivery_type
from control.outlets.notifying import Notifying
from control.outlets.secrets import Secrets
from control.outlets.vapid import read_vapid
from control.outlets.webhooks import Webhook
from control.state import ControlState
from control.topic_tables.follower import TableThread
from history import History
from history.retractions import TakenBack
from kernel.access.mailboxes import is_mail, mailbox_of
from kernel.access.outward import Outward
from kernel.access.signing import Signer
from kernel.clock import Clock
from kernel.errors import TouchlineError
from kernel.fairness.turns import TURN_S
from kernel.log.cluster import Cluster
from kernel.log.first_write import PRODUCER
from kernel.log.kafka import wait_for_kafka, watch_kafka
from kernel.log.positions import Kind, Stream
from kernel.log.records import Partition, Record
from kernel.log.topics import topic_names
from kernel.process.health import Health
from kernel.process.lifecycle import unless
from kernel.process.logs import get_logger
from kernel.process.ops_port import OpsServer
from kernel.settings.reading import Settings
from outbox.events import Events
from outbox.forwarding.forwarding import Forwarding
from outbox.forwarding.receivers import Receivers, Ways
from outbox.notifying.live import Live
from outbox.notifying.notifier import Notifier
from outbox.outlets.mail import Mailer, MailOutlet
from outbox.outlets.outlet import Item, Outlet
from outbox.outlets.personal import ways_of_users
from outbox.outlets.web_push import BrowserPush, Vapid
from outbox.outlets.webhook import Poster, Signed, WebhookOutlet
from outbox.source import EventSource
from outbox.writer import LogWriter
from schemas.registry import wait_for_registry

_log = get_logger("touchline.outbox")
_SETTLE_S: Final = 1.0
#: Batches that wait for notifications to be made of them.
_BATCHES: Final = 8
Batch = list[tuple[Partition, Record]]


class Outboxes:
    """One outbox."""

    def __init__(
        self, settings: Settings, clock: Clock, state: ControlState, tables: Tables, health: Health
    ) -> None:
        self._settings, self._clock, self._state, self._tables = settings, clock, state, tables
        self._health, self._names = health, topic_names(settings)
        self._events, self._cluster = Events(settings), Cluster(settings)
        self._writer = LogWriter(settings)
        self._mailer = Mailer(settings.outbox, clock) if settings.outbox.mail_server else None
        self._tasks: set[asyncio.Task[None]] = set()
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._batches: asyncio.Queue[Batch] = asyncio.Queue(_BATCHES)
        #: Up to where partitions were read, and up to where users were told of it.
        self._read: dict[Partition, int] = {}
        self._noted: dict[Partition, int] = {}
        #: Up to where it was committed.
        self._settled: dict[Partition, int] = {}

    async def run(self, stop: asyncio.Event, history: History, poster: Poster) -> None:
        """Until it is asked to stop. Raises what makes going on impossible."""
        settings, state = self._settings, self._state
        shown = TakenBack(state.moderation)

        def shown_now(item: Item) -> bytes:
            return shown.shown(Stream.parse(item.stream), [item.body])[0]

        key = read_vapid(settings)
        push: Callable[[Notifying, str], Outlet] | None = None
        if key is not None:
            vapid = Vapid(key, settings.outbox.vapid_contact, self._clock)

            def push(wishes: Notifying, subscription: str) -> Outlet:
                return BrowserPush(wishes, subscription, vapid, poster)

        ways = Ways(
            self._ways_of_webhooks(poster, shown_now), ways_of_users(settings, self._clock, poster, push=push)
        )
        receivers = Receivers(
            *(state.outlets, self._events, ways, settings.outbox, self._clock),
            spawn=self._spawn,
            owner_of=state.readers.owner_of,
        )
        state.on_alert.append(lambda _: receivers.alert_changed())
        commands = CommandSender(settings, self._clock)

        async def command(key: str, name: str, arguments: Mapping[str, Any], actor: str | None) -> None:
            await commands.send(key, name, arguments, actor=actor)

        live = Live(state, history, self._clock, command, Signer(settings.auth))
        self._notifier = Notifier(settings, state, history, self._events, live)
        source = EventSource(settings, sorted({*self._events.topics, *self._notifier.topics}))
        self._forwarding = Forwarding(
            *(settings, self._clock, state, self._tables),
            receivers=receivers,
            source=source,
            writer=self._writer,
            events=self._events,
            spawn=self._spawn,
        )
        receivers.open()
        self._notifier.reached = receivers.reached
        source.subscribe()
        noting = asyncio.create_task(self._note())
        settling = asyncio.create_task(self._settle_forever(source))
        writing = asyncio.create_task(self._writer.first_write(self._health))
        work = (noting, settling)
        try:
            while not stop.is_set():
                batch = await source.read()
                for task in (*work, self._failed):
                    if task.done():
                        task.result()
                if source.pending is not None:
                    await self._open_patiently(source, source.pending)
                    continue
                await self._take(batch, receivers)
                if batch:
                    await self._batches.put(batch)
        finally:
            for task in (*work, writing):
                task.cancel()
            await asyncio.gather(*work, writing, return_exceptions=True)
            await self._end(source)

    async def _take(self, batch: Sequence[tuple[Partition, Record]], receivers: Receivers) -> None:
        """Offer what came to those whom it is for; what is posted meanwhile has turns in between."""
        ends = self._clock.monotonic() + TURN_S
        for place, record in batch:
            self._read[place] = record.offset + 1
            if place.topic in self._events.topics:
                receivers.take(place, record)
            if self._clock.monotonic() >= ends:
                await asyncio.sleep(0)
                ends = self._clock.monotonic() + TURN_S

    def _ways_of_webhooks(
        self, poster: Poster, shown_now: Callable[[Item], bytes]
    ) -> Callable[[Webhook], Outlet]:
        """To a mailbox, or to an address."""
        settings, mailer = self._settings, self._mailer
        secrets, outward = Secrets(settings.auth), Outward(settings)

        def way(webhook: Webhook) -> Outlet:
            if is_mail(webhook.url) and mailer is not None:
                # As the settings are now, not as they were when it was set.
                to = mailbox_of(webhook.url, webhook.maker, settings.outbox, own=webhook.own)
                return MailOutlet(to, webhook.id, mailer, shown_now)
            outward.check(webhook.url)
            secret = secrets.open(webhook.secret, webhook.id)
            return WebhookOutlet(webhook.url, Signed(secret, self._clock), poster, shown_now)

        return way

    async def _open_patiently(self, source: EventSource, asked: list[Partition]) -> None:
        try:
            await self._open(source, asked)
        except (KafkaException, TouchlineError, TimeoutError) as error:
            _log.warning("partitions wait for Kafka", why=str(error)[:300])
            await asyncio.sleep(_SETTLE_S)

    async def _open(self, source: EventSource, asked: list[Partition]) -> None:
        """Partitions were given out anew."""
        self._health.fail("partitions", "the group is sharing them out")
        # What an outbox before this one has kept of places is in the table then.
        await self._tables.at_end()
        starts = await source.committed(asked, self._clock.now_ms())
        now = await asyncio.to_thread(self._cluster.describe, self._topics)
        self._notifier.partitions = now[self._names.ingest[Kind.BROADCAST]].partitions
        self._forwarding.opening(
            starts,
            partitions={name: topic.partitions for name, topic in now.items()},
            topic_ids={name: topic.topic_id for name, topic in now.items()},
        )
        self._read, self._noted, self._settled = dict(starts), dict(starts), {}
        if source.start(asked, starts) and starts:
            self._health.ok("partitions")
            _log.info("reading", partitions=len(starts))

    @property
    def _topics(self) -> list[str]:
        names = self._names
        return [*self._events.topics, names.ingest[Kind.BROADCAST], names.deliveries]

    async def _note(self) -> None:
        while True:
            batch = await self._batches.get()
            await self._writer.write(await self._notifier.writes(batch))
            for place, record in batch:
                if place in self._noted:
                    self._noted[place] = max(self._noted[place], record.offset + 1)

    async def _settle_forever(self, source: EventSource) -> None:
        while True:
            await asyncio.sleep(_SETTLE_S)
            await self._settle(source)

    async def _settle(self, source: EventSource) -> None:
        upto: Mapping[Partition, int] = {
            place: min(at, self._noted.get(place, at)) for place, at in self._read.items()
        }
        settled = await self._forwarding.settle(upto)
        changed = {place: at for place, at in settled.items() if self._settled.get(place) != at}
        if source.pending is None:
            await source.commit(changed)
            self._settled |= changed

    async def _end(self, source: EventSource) -> None:
        if self._mailer is not None:
            self._mailer.close()
        try:
            if source.pending is None:
                await self._settle(source)
        except TouchlineError as error:
            _log.warning("not all is settled: it is done again", why=error.message)
        await self._forwarding.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await source.close()
        await self._writer.close()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None and not self._failed.done():
            self._failed.set_exception(error)


async def serve(settings: Settings, clock: Clock, stop: asyncio.Event) -> None:
    """Lead out until `stop` is set."""
    health = Health("kafka", "tables", "channels", "partitions", PRODUCER)
    ops = OpsServer(health, settings.outbox.host, settings.outbox.port)
    await ops.start()
    try:
        await wait_for_registry(settings, stop, health)
        async with AsyncExitStack() as stack:
            await unless(stop, wait_for_kafka(settings))
            if not stop.is_set():
                await _serve(settings, clock, stop, health, stack)
    finally:
        await ops.stop()


async def _serve(
    settings: Settings, clock: Clock, stop: asyncio.Event, health: Health, stack: AsyncExitStack
) -> None:
    failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def fail(error: BaseException) -> None:
        if not failed.done():
            failed.set_exception(error)

    state, tables = ControlState.on_disk(
        settings, clock, "outbox", listing=CLOSED, also=[delivery_type(settings)], on_failed=fail
    )
    known = asyncio.Event()
    state.on_known += [known.set, lambda: health.ok("channels")]
    await stack.enter_async_context(
        TableThread(
            *(settings, clock, state.tables("alerts")),
            name="outbox-tables",
            health=health,
            condition="tables",
            on_caught_up=state.caught_up,
        )
    )
    tables.start()
    stack.push_async_callback(tables.stop)
    await unless(stop, _first_of(known.wait(), failed))
    if stop.is_set():
        return
    taken_back = TakenBack(state.moderation)
    history = await stack.enter_async_context(History(settings, clock, state.retention, taken_back))
    poster = await stack.enter_async_context(Poster(Outward(settings), settings.outbox, clock))
    watching = asyncio.create_task(watch_kafka(settings, health))
    stack.callback(watching.cancel)
    outbox = Outboxes(settings, clock, state, tables, health)
    running = asyncio.create_task(outbox.run(stop, history, poster))
    await _first_of(running, failed)
    if failed.done():
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        failed.result()
    await running


async def _first_of(*waiting: Any) -> None:
    tasks = [asyncio.ensure_future(one) for one in waiting]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
