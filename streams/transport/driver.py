"""The Faust transport `batch://`: batches for batch topics, and stock Faust for everything else.

What stays Faust's own: the group protocol and its assignor, standbys, changelogs and their recovery, ordinary
agents, the web and the `faust` command. What is different for the topics named in `BatchApp.batch_topics`:

- librdkafka reads them (`reader.py`); aiokafka is assigned them, and keeps them paused.
- An agent gets one event per batch, and says itself, by `batch.finish()`, that it is done. Faust acknowledges
  what it skips around a rebalance; here only a finished batch moves an offset.
- Offsets are committed after the sink's barrier, and before partitions are handed over.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final, cast

from faust.transport.drivers import TRANSPORTS
from faust.transport.drivers import aiokafka as stock
from faust.types import TP, ConsumerMessage

from kernel.clock import Clock
from kernel.errors import TouchlineError
from kernel.log.records import Partition, Write
from kernel.process.logs import get_logger
from streams.transport import faust_internals
from streams.transport.batch import Ledger, TopicBatch
from streams.transport.reader import Reader
from streams.transport.sink import Sink

_log = get_logger("touchline.transport")

#: How long a rebalance waits for batches under way. They are a few milliseconds of work each; what is not
#: done by then is done again, with the same result, by the partition's next owner.
_HAND_OVER_S: Final = 2.0
#: Longer than a reader needs that is at work.
_READER_STOP_S: Final = 1.0
#: Faust has 1500 ms, in which idle partitions hold back busy ones. This one is for ordinary topics.
_FETCH_WAIT_MS: Final = 50

#: How often the group's leader looks at what topics there are. A broker that has just come back may name none
#: of them: everybody is assigned nothing then, and with aiokafka's 5 minutes it stayed so for that long.
_METADATA_MS: Final = 5000

#: How long a topic that was just made may have no partitions yet, as Faust sees it.
_NEW_TOPIC_S: Final = 10.0

#: Three quarters of the session's time, after which the group gives a silent worker's partitions away.
_ASLEEP_S: Final = 4.5

Opening = Callable[[Mapping[Partition, int]], Awaitable[Mapping[Partition, int]]]
Closing = Callable[[], Awaitable[None]]
#: Given the offsets that are about to be committed; returns what has to be on the brokers before.
Committing = Callable[[Mapping[Partition, int]], list[Write]]


class BatchApp(faust_internals.App):
    """A Faust app some of whose topics are read in batches, and where an error in a batch ends the process.

    Stock Faust commits what a failed agent had in hand, and starts the agent again: records are lost. Here
    the error goes to `fatal`, on which the role waits: the process ends, is started again, and goes on from
    the last commit. Agents of ordinary topics are treated as ever.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.batch_topics: frozenset[str] = options.pop("batch_topics")
        self.sink: Sink = options.pop("sink")
        self.new_reader: Callable[..., Reader] = options.pop("new_reader")
        self.clock: Clock = options.pop("clock")
        #: Called with the committed offsets before reading starts; returns where to start.
        self.on_opening: Opening = options.pop("on_opening")
        self.on_closing: Closing = options.pop("on_closing")
        #: Called once all outputs of what lies before these offsets are on the brokers.
        self.on_committing: Committing = options.pop("on_committing", lambda _: [])
        self._fatal: asyncio.Future[None] | None = None
        options.setdefault("consumer_metadata_max_age_ms", _METADATA_MS)
        self._awake_at = 0.0  # from the consumer's start on it counts: an app may be made before its loop
        super().__init__(*arguments, **options)

    @property
    def fatal(self) -> "asyncio.Future[None]":
        """Fails with the error after which the process has to end. Whoever runs the app waits for it."""
        if self._fatal is None:
            self._fatal = asyncio.get_running_loop().create_future()
        return self._fatal

    def wake(self) -> None:
        """From now on, being stopped for long ends the process."""
        self._awake_at = self.clock.monotonic()

    def check_awake(self) -> None:
        """Raise if this process was stopped for so long that its partitions may be another's by now.

        To be called before outputs are written: a worker that wakes up late must not overturn what its
        successor has decided.
        """
        now = self.clock.monotonic()
        if now - self._awake_at > _ASLEEP_S:
            raise TouchlineError(
                "unavailable", f"This worker was stopped for {now - self._awake_at:.0f} s, and starts anew."
            )
        self._awake_at = now

    async def on_first_start(self) -> None:
        # Faust makes a directory for its tables where the process stands, even if they are kept in memory.
        if self.conf.store.scheme != "memory":
            await super().on_first_start()

    def fail(self, error: BaseException) -> None:
        """An error that nobody has thought about: to end the process. From the loop's thread."""
        if self._fatal is None:  # run by the `faust` command, which would go on without what has failed
            _log.error("stopped by an error", error=repr(error))
            os._exit(1)
        if not self._fatal.done():
            self._fatal.set_exception(error)

    def agent_failed(self, topics: Iterable[str], error: BaseException) -> bool:
        if self.batch_topics.isdisjoint(topics):
            return False
        self.fail(error)
        return True

    async def crash(self, reason: BaseException) -> None:
        self.fail(reason)
        await super().crash(reason)


class _Thread(faust_internals.ConsumerThread):
    fetch_wait_ms = _FETCH_WAIT_MS
    app: "BatchApp"

    async def subscribe(self, topics: Iterable[str]) -> None:
        # A changelog that has just been made may have no partitions yet, as Faust sees it. The agent fails at
        # its first write to the table then, and what a failed agent had in hand counts as done: it is lost.
        changelogs = self.app.tables.changelog_topics
        await self.call_thread(self.learn_of, changelogs, self.app.clock, _NEW_TOPIC_S)
        await super().subscribe(topics)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        consumer, batch_topics = self.kafka_consumer(), self.app.batch_topics
        consumer.pause(*(tp for tp in consumer.assignment() if tp.topic in batch_topics))
        await super().on_partitions_assigned(assigned, generation_id)

    async def on_thread_stop(self) -> None:
        # Static members don't leave the group by themselves. One that stops in good order has nothing under
        # way: its partitions go on elsewhere at once, not after the session's time.
        self.leave_group()
        await super().on_thread_stop()

    def verify_event_path(self, now: float, tp: TP) -> None:
        # aiokafka does not fetch batch topics, so Faust's alarm about that would be false.
        if tp.topic not in self.app.batch_topics:
            super().verify_event_path(now, tp)


class Consumer(faust_internals.Consumer):
    """Faust's consumer, with a reader and a ledger for the batch topics."""

    app: BatchApp
    Thread = _Thread

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.ledger = Ledger()
        self.reader: Reader | None = None
        self._opening: asyncio.Task[None] | None = None
        self._reading: asyncio.Task[None] | None = None

    async def on_start(self) -> None:
        self.app.wake()
        self.reader = self.app.new_reader(self._hand_to_agent)
        self._reading = asyncio.get_running_loop().create_task(self._read(self.reader))
        await super().on_start()

    # ── from the reader to the agents ──────────────────────────────────────────────────────────────────

    async def _read(self, reader: Reader) -> None:
        try:
            await reader.run()
        except Exception as error:
            self.app.fail(error)

    async def _hand_to_agent(self, batch: TopicBatch) -> None:
        if self.ledger.start(batch):
            await self.callback(self._message(batch))

    @stock.Consumer.task
    async def _stay_awake(self) -> None:
        while not self.should_stop:
            await asyncio.sleep(_ASLEEP_S / 10)
            try:
                self.app.check_awake()
            except TouchlineError as error:
                self.app.fail(error)

    def _message(self, batch: TopicBatch) -> ConsumerMessage:
        first = batch.parts[0]
        place = TP(*first.place)
        return ConsumerMessage(
            topic=place.topic,
            partition=place.partition,
            offset=first.first,
            timestamp=first.records[0].append_ms / 1000,
            timestamp_type=1,
            headers=None,
            key=None,
            value=cast("Any", batch),
            checksum=None,
            serialized_key_size=0,
            serialized_value_size=0,
            tp=place,
            generation_id=self.app.consumer_generation_id,
        )

    def finish(self, batch: TopicBatch) -> None:
        """All outputs of this batch are with the sink."""
        batch.finished = True
        if self.reader is not None:
            self.reader.release(batch.opening)

    # ── opening and closing around rebalances ──────────────────────────────────────────────────────────

    def resume_flow(self) -> None:
        super().resume_flow()
        # While tables are recovered the flow is resumed for their changelogs alone: all else is paused still.
        mine = [tp for tp in self.assignment() if tp.topic in self.app.batch_topics]
        recovering = bool(mine) and all(map(self.is_paused, mine))
        if self._opening is None and not recovering:
            self._opening = asyncio.get_running_loop().create_task(self._open())

    def stop_flow(self) -> None:
        self._close()
        super().stop_flow()

    def _close(self) -> None:
        opening, self._opening = self._opening, None
        if opening is not None:
            opening.cancel()
        self.ledger.close()
        if self.reader is not None:
            self.reader.close(self.ledger.opening)

    async def _open(self) -> None:
        try:
            starts = {
                Partition(tp.topic, tp.partition): self.start_of(tp)
                for tp in self.assignment()
                if tp.topic in self.app.batch_topics and not self.is_paused(tp)
            }
            starts = dict(await self.app.on_opening(starts))
            opening = self.ledger.open(starts)
            if self.reader is not None:
                self.reader.open(starts, opening)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            self.app.fail(error)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        # Stock Faust forgets what was acknowledged before its last commit, so that all of it comes again.
        await self.settle(_HAND_OVER_S)
        self.ledger.forget(Partition(tp.topic, tp.partition) for tp in revoked)
        await super().on_partitions_revoked(revoked)
        await self.app.on_closing()

    async def settle(self, limit_s: float) -> None:
        """Read no more, let the batches under way finish, and commit them."""
        if self.reader is not None:
            self.reader.close(self.ledger.opening + 1)
        now = self.app.clock.monotonic
        deadline = now() + limit_s
        while not self.ledger.idle and now() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.002)
        await self.commit()
        self._close()

    def fetched(self, records: Mapping[TP, Any]) -> dict[TP, Any]:
        # What aiokafka had fetched before it was told to pause is the reader's to bring.
        return {tp: got for tp, got in records.items() if tp.topic not in self.app.batch_topics}

    # ── commits ────────────────────────────────────────────────────────────────────────────────────────

    def committable(self, ordinary: dict[TP, int]) -> dict[TP, int]:
        return ordinary | {TP(*place): offset for place, offset in self.ledger.committable().items()}

    async def commit_offsets(self, offsets: Mapping[TP, int]) -> bool:
        await self.app.sink.barrier()
        await self.app.producer.flush()
        await self._write_before(offsets)
        assigned = self.assignment()
        mine = {tp: offset for tp, offset in offsets.items() if tp in assigned}
        if not mine or not await self.send_commit(mine):
            return False
        self.app.tables.on_commit(mine)
        self.ledger.committed(
            {Partition(*tp): offset for tp, offset in mine.items() if tp.topic in self.app.batch_topics}
        )
        return True

    async def _write_before(self, offsets: Mapping[TP, int]) -> None:
        """What has to be on the brokers before these offsets are committed, and behind their outputs."""
        batched = {Partition(*tp): at for tp, at in offsets.items() if tp.topic in self.app.batch_topics}
        # Who wakes up late has no say in this any more.
        self.app.check_awake()
        if writes := self.app.on_committing(batched):
            self.app.sink.write_apart(writes)
            await self.app.sink.barrier()

    async def on_stop(self) -> None:
        await super().on_stop()
        if self.reader is not None and self._reading is not None:
            self.reader.stop()
            # It may wait for a flow that nobody lets go on any more.
            await asyncio.wait({self._reading}, timeout=_READER_STOP_S)
            self._reading.cancel()


class Transport(stock.Transport):
    """`batch://host:port`."""

    Consumer = Consumer
    driver_version = f"batch with {stock.Transport.driver_version}"


def register() -> None:
    """Make `batch://` known to Faust."""
    TRANSPORTS.aliases["batch"] = f"{__name__}:{Transport.__name__}"
