"""Follows tables on Kafka: a thread that hands over to an event loop, and a reader that goes step by step.

Kafka may be away, forbid or refuse: that is told in Health and tried again, from where the tables stand.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Sequence
from typing import Any, Final, Self

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaError, KafkaException, TopicPartition

from control.topic_tables.table import End, Row, TopicTable
from kernel.clock import Clock
from kernel.errors import TouchlineError
from kernel.log.kafka import check_read_error, client_config, unreachable, what_came
from kernel.process.health import Health
from kernel.process.logs import get_logger
from kernel.settings.reading import Settings

_log = get_logger("touchline.tables")
_POLL_S: Final = 0.2
_AT_ONCE: Final = 500
#: Taken in at a time: a loop that serves others too must not be held for long.
_A_TURN: Final = 200
_RETRY_S: Final = 1.0
#: How often it is looked whether a topic has more partitions now.
_LOOK_EVERY_S: Final = 5.0
_LOOK_S: Final = 2.0
_ANSWER_S: Final = 10.0

Read = list[tuple[TopicTable, Row | End]]


class _Source:
    """A consumer of all partitions of some tables, from where each of them stands. Blocks."""

    def __init__(self, settings: Settings, clock: Clock, tables: Sequence[TopicTable], name: str) -> None:
        self._tables = {table.topic: table for table in tables}
        self._clock = clock
        self._assigned: set[tuple[str, int]] = set()
        self._consumer = Consumer(
            client_config(
                settings,
                group_id=f"{settings.topics.prefix}-{name}",  # never joined: all partitions are read
                enable_auto_commit=False,
                enable_auto_offset_store=False,
                allow_auto_create_topics=False,
                enable_partition_eof=True,
                auto_offset_reset="earliest",
                queued_max_messages_kbytes=8 * 1024,
                # A reader that has caught up with its queue asks again at once, not after a second.
                fetch_queue_backoff_ms=10,
            )
        )
        try:
            self._find_partitions(first=True)
        except BaseException:
            self._consumer.close()
            raise
        self._looked = clock.monotonic()

    def close(self) -> None:
        self._consumer.close()

    def poll(self, wait_s: float) -> Read:
        """What has come; waits for the first of it."""
        if self._clock.monotonic() >= self._looked + _LOOK_EVERY_S:
            self._looked = self._clock.monotonic()
            with contextlib.suppress(KafkaException):  # away for the moment: the next look tells
                self._find_partitions(first=False)
        messages: list[Any] = what_came(self._consumer, _AT_ONCE + 1, wait_s)
        read: Read = []
        for message in messages:
            error = message.error()
            if error is None:
                table = self._tables[message.topic()]
                at = (message.partition(), message.offset(), message.timestamp()[1])
                if (row := table.read(*at, message.key(), message.value())) is not None:
                    read.append((table, row))
            elif error.code() == KafkaError._PARTITION_EOF:
                read.append((self._tables[message.topic()], End(message.partition(), message.offset())))
            else:
                check_read_error(error)
        return read

    def _find_partitions(self, *, first: bool) -> None:
        new = []
        for topic, table in self._tables.items():
            found = self._consumer.list_topics(topic, timeout=_ANSWER_S if first else _LOOK_S).topics[topic]
            if found.error is not None or not found.partitions:
                if first:
                    raise _no_topic(topic)
                continue
            # What comes to a topic that is followed from its end is read from its beginning: it is all new.
            start = OFFSET_BEGINNING if table.whole or table.known else OFFSET_END
            for partition in sorted(found.partitions):
                if partition not in table.known:
                    table.found(partition, start)
                if (topic, partition) not in self._assigned:
                    new.append(TopicPartition(topic, partition, table.next(partition)))
        if new:
            self._consumer.incremental_assign(new)
            self._assigned |= {(at.topic, at.partition) for at in new}


def _no_topic(topic: str) -> TouchlineError:
    return TouchlineError(
        "unavailable", f"Kafka has no topic {topic}.", hint="Make it with `touchline topics apply`."
    )


class TableThread(threading.Thread):
    """Reads and decodes in a thread of its own; the tables take in, and are to be asked, in the loop.

    It ends when it is told to, and never by itself: what goes wrong shows in `health`, and is tried again.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        tables: Sequence[TopicTable],
        *,
        name: str,
        health: Health,
        condition: str,
        on_caught_up: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(name=name, daemon=True)
        self._settings, self._clock, self._tables = settings, clock, tables
        self._health, self._condition, self._on_caught_up = health, condition, on_caught_up
        self._loop = asyncio.get_running_loop()
        self._stopping = threading.Event()
        #: Set, in the loop, once all that was there at the start is taken in.
        self.caught_up = asyncio.Event()
        self._waiting: list[tuple[TopicTable, int, int, asyncio.Future[None]]] = []

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stop()
        await asyncio.to_thread(self.join)

    def stop(self) -> None:
        """Ask it to end; returns at once."""
        self._stopping.set()

    async def taken(self, table: TopicTable, partition: int, offset: int, *, within_s: float) -> bool:
        """Wait until a record that was just written is taken in here; whether it was, in this time."""
        if table.has(partition, offset):
            return True
        done: asyncio.Future[None] = self._loop.create_future()
        self._waiting.append((table, partition, offset, done))
        finished, _ = await asyncio.wait([done], timeout=within_s)
        done.cancel()
        return bool(finished)

    def run(self) -> None:
        while not self._stopping.is_set():
            try:
                source = _Source(self._settings, self._clock, self._tables, self.name)
                try:
                    while not self._stopping.is_set():
                        self._hand_over(source.poll(_POLL_S))
                finally:
                    source.close()
            except Exception as error:
                why = error.message if isinstance(error, TouchlineError) else str(error)
                _log.warning("tables cannot be followed right now", tables=self.name, why=why)
                self._in_loop(self._health.fail, self._condition, f"the tables cannot be followed: {why}")
                self._stopping.wait(_RETRY_S)

    def _hand_over(self, read: Read) -> None:
        for first in range(0, len(read), _A_TURN):
            done = threading.Event()
            self._in_loop(self._take, read[first : first + _A_TURN], done)
            # One turn at a time: a loop that is busy is not given a million records to hold.
            while not done.wait(_POLL_S):
                if self._stopping.is_set():
                    return

    def _take(self, read: Read, done: threading.Event) -> None:
        try:
            for table, what in read:
                table.take(what)
            self._settle()
        finally:
            done.set()

    def _settle(self) -> None:
        if all(table.caught_up or not table.whole for table in self._tables):
            if not self.caught_up.is_set():
                self.caught_up.set()
                self._on_caught_up()
            self._health.ok(self._condition)
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            table, partition, offset, done = one
            if done.done():
                continue
            if table.has(partition, offset):
                done.set_result(None)
            else:
                self._waiting.append(one)

    def _in_loop(self, call: Callable[..., Any], *arguments: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is there to be told
            self._loop.call_soon_threadsafe(call, *arguments)


class TableReader:
    """Reads when it is asked, and takes in at once. Everything blocks: from a loop, call it in a thread."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        tables: Sequence[TopicTable],
        *,
        name: str,
        health: Health | None = None,
    ) -> None:
        self._settings, self._clock, self._tables = settings, clock, tables
        self._name, self._health = name, health
        self._source: _Source | None = None
        self._retry_at = 0.0

    def read_all(self) -> None:
        """Take in all that is there. Raises `unavailable`."""
        try:
            source = self._open()
            given_up = self._clock.monotonic() + _ANSWER_S
            while not all(table.caught_up for table in self._tables):
                if self._take(source.poll(_POLL_S)):
                    given_up = self._clock.monotonic() + _ANSWER_S
                elif self._clock.monotonic() > given_up:
                    raise unreachable(self._settings)
        except KafkaException as error:
            # The sentence says by itself that nobody is there.
            away = error.args[0].code() == KafkaError._TRANSPORT
            raise unreachable(self._settings, "" if away else error.args[0].str()) from error

    def read_news(self) -> None:
        """Take in what has come since. Where Kafka gives nothing it is told in Health, and tried again."""
        if self._source is None and self._clock.monotonic() < self._retry_at:
            return
        try:
            self._take(self._open().poll(0))
        except (KafkaException, TouchlineError) as error:
            self.close()
            self._retry_at = self._clock.monotonic() + _RETRY_S
            _log.warning("tables cannot be followed right now", tables=self._name, why=str(error))
            if self._health is not None:
                self._health.fail("tables", f"the tables cannot be followed: {error}")

    def close(self) -> None:
        if self._source is not None:
            self._source.close()
            self._source = None

    def _open(self) -> _Source:
        if self._source is None:
            self._source = _Source(self._settings, self._clock, self._tables, self._name)
        return self._source

    def _take(self, read: Read) -> bool:
        for table, what in read:
            table.take(what)
        if self._health is not None and all(table.caught_up for table in self._tables):
            self._health.ok("tables")
        return bool(read)
