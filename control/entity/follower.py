"""The thread that copies entities' topics into the table on disk, and says which known keys have changed.

Nothing is decoded here, unless a type lists its records: what comes is dropped by its key, or kept as it is.
"""

import contextlib
import ctypes
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicCollection, TopicPartition

from control.entity.stores.opening import is_damage
from control.entity.stores.store import Row, Store
from control.entity.types import STAMP, AnyType
from kernel.clock import Clock
from kernel.errors import TouchlineError
from kernel.log.kafka import admin_client, check_read_error
from kernel.process.lines import Lines
from kernel.process.logs import get_logger
from kernel.process.metrics import TABLE_SKIPPED

_log = get_logger("touchline.state")
_lines = Lines("touchline.state")

_POLL_S: Final = 0.2
_RETRY_S: Final = 1.0
#: What asking about topics fails with while no broker answers.
_AWAY: Final = (KafkaException, TimeoutError)
#: Records of one transaction.
_AT_ONCE: Final = 5000
#: How often it is looked at whether a topic has more partitions.
_LOOK_EVERY_S: Final = 2.0
#: With so many records to catch up on, and a third of what there is, the table is filled anew: to change
#: records one by one costs three times as much.
_FAR_BEHIND: Final = 100_000
#: A tombstone's stamp is kept for as long as Kafka keeps the tombstone.
_GONE_MS: Final = 24 * 60 * 60 * 1000
#: Confluent's header: what begins with one that could be decoded is not tried again.
_HEADER: Final = 5

#: Makes the store for these topics (table -> topic's id); with `anew`, whatever lies there.
OpenStore = Callable[[Mapping[str, str], bool], Store]


class _Topic(NamedTuple):
    topic_id: str
    partitions: int


class Follower(threading.Thread):
    """Fills the store, then follows.

    `on_ready(store)` comes once, when all that was there at the start is in the store; `on_changed(names)`
    (type -> keys) for those keys that `known` says, and of types with `lists` for those that are on one or
    come on one, after they can be read; `on_failed(error)` is the end. All of them are called in this thread.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        types: Sequence[AnyType],
        open_store: OpenStore,
        *,
        clock: Clock,
        known: Mapping[str, Callable[[set[bytes]], set[bytes]]],
        lists: Mapping[str, Mapping[bytes, int]],
        on_ready: Callable[[Store], None],
        on_changed: Callable[[dict[str, set[bytes]]], None],
        on_failed: Callable[[BaseException], None],
    ) -> None:
        super().__init__(name="state", daemon=True)
        self._config, self._types, self._open_store = dict(config), types, open_store
        self._clock, self._known, self._lists = clock, known, lists
        self._on_ready, self._on_changed, self._on_failed = on_ready, on_changed, on_failed
        self._admin = admin_client(config)
        self._of_topic = {each.topic: each for each in types}
        self._ids: dict[str, str] = {}
        #: Partition -> the offset up to which it is read; and up to which it can be read in the store.
        self._at: dict[tuple[str, int], int] = {}
        self._stored: dict[tuple[str, int], int] = {}
        self._readable: dict[str, set[bytes]] = {each.name: set() for each in types}
        self._waiting: list[tuple[dict[tuple[str, int], int], Callable[[], None]]] = []
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._looked = clock.monotonic()
        self._ready = False

    def stop(self) -> None:
        """Let the thread end, soon."""
        self._stopping.set()

    def when_at(self, ends: dict[tuple[str, int], int], call: Callable[[], None]) -> None:
        """Call once these partitions are in the store up to these offsets: at once where they are, as mostly
        they are. From any thread."""
        with self._lock:
            there = self._ready and all(self._stored.get(place, -1) >= end for place, end in ends.items())
            if not there:
                self._waiting.append((ends, call))
        if there:
            call()

    def run(self) -> None:
        consumer = store = None
        try:
            begun = self._begin_patiently()
            if begun is None:
                return
            consumer, store = begun
            while not self._stopping.is_set():
                first = consumer.consume(1, _POLL_S)
                if first:
                    self._take(store, first + consumer.consume(_AT_ONCE - 1, 0))
                self._settle(store)
                self._look(consumer)
        except BaseException as error:
            if not self._stopping.is_set():
                if is_damage(error):
                    self._open_store({each.name: "" for each in self._types}, True).close()
                self._on_failed(error)
        finally:
            if consumer is not None:
                consumer.close()
            if store is not None:
                store.close()

    # ── where to begin ─────────────────────────────────────────────────────────────────────────────────

    def _begin_patiently(self) -> tuple[Consumer, Store] | None:
        # Not all brokers hear of a topic at once.
        while not self._stopping.is_set():
            consumer = self._new_consumer()
            try:
                return consumer, self._begin(consumer, self._describe())
            except _AWAY as error:
                _log.warning("waiting for the topics of states", why=str(error) or "no answer in time")
                # Clients that began while a broker was away were seen to fail for good.
                consumer.close()
                self._admin = admin_client(self._config)
                self._stopping.wait(_RETRY_S)
            except BaseException:
                consumer.close()
                raise
        return None

    def _new_consumer(self) -> Consumer:
        return Consumer(
            {
                "fetch.wait.max.ms": 500,
                # All that waits in memory, where a record of a hundred bytes takes six hundred. Who has
                # emptied it asks again at once: with librdkafka's second of rest each time a million
                # records take ten.
                "queued.max.messages.kbytes": 2 * 1024,
                "queued.min.messages": 20_000,
                "fetch.queue.backoff.ms": 5,
                "fetch.max.bytes": 1024 * 1024,
                "fetch.message.max.bytes": 1024 * 1024,
                **self._config,
                "group.id": "touchline-state",  # never joined
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "auto.offset.reset": "earliest",
                "enable.partition.eof": True,
            }
        )

    def _describe(self) -> dict[str, _Topic]:
        asked = self._admin.describe_topics(TopicCollection(list(self._of_topic)))
        found = {name: future.result(timeout=10) for name, future in asked.items()}
        return {name: _Topic(str(topic.topic_id), len(topic.partitions)) for name, topic in found.items()}

    def _begin(self, consumer: Consumer, topics: Mapping[str, _Topic]) -> Store:
        self._ids = {name: topic.topic_id for name, topic in topics.items()}
        identity = {each.name: topics[each.topic].topic_id for each in self._types}
        for name in topics:
            # Else a consumer goes for five minutes by what it was told first, by a broker that had not heard
            # of more partitions yet: an upgrade of the whole pipeline found a worker that could not start.
            consumer.list_topics(name, timeout=10)
        places = [(name, number) for name, topic in topics.items() for number in range(topic.partitions)]
        spans = {
            place: consumer.get_watermark_offsets(TopicPartition(*place), timeout=10) for place in places
        }
        store = self._open_store(identity, False)
        starts = self._starts(store, spans)
        behind = sum(spans[place][1] - start for place, start in starts.items())
        if store.loaded and behind > max(_FAR_BEHIND, sum(high - low for low, high in spans.values()) // 3):
            store.close()
            store = self._open_store(identity, True)
            starts = self._starts(store, spans)
        _log.info("following states", behind=behind, filled=not store.loaded)
        store.purge(self._clock.now_ms() - _GONE_MS)
        self._at = starts
        self.when_at({place: high for place, (_, high) in spans.items()}, lambda: None)
        consumer.assign([TopicPartition(*place, start) for place, start in starts.items()])
        return store

    def _starts(
        self, store: Store, spans: Mapping[tuple[str, int], tuple[int, int]]
    ) -> dict[tuple[str, int], int]:
        kept = {each.topic: store.offsets(each.name) if store.loaded else {} for each in self._types}
        return {
            place: min(max(low, kept[place[0]].get(place[1], 0)), high)
            for place, (low, high) in spans.items()
        }

    def _look(self, consumer: Consumer) -> None:
        """Topics grow; one that was made anew has nothing to do with what is in the table."""
        if self._clock.monotonic() < self._looked + _LOOK_EVERY_S:
            return
        self._looked = self._clock.monotonic()
        try:
            topics = self._describe()
        except _AWAY:
            return  # who needs Kafka says so elsewhere
        for name, topic in topics.items():
            if topic.topic_id != self._ids[name]:
                raise TouchlineError("unavailable", f"The topic {name} was made anew.")
            for number in range(topic.partitions):
                if (name, number) not in self._at and self._heard_of(consumer, name, number):
                    self._at[name, number] = 0
                    consumer.incremental_assign([TopicPartition(name, number, 0)])

    def _heard_of(self, consumer: Consumer, topic: str, partition: int) -> bool:
        try:
            return partition in consumer.list_topics(topic, timeout=_RETRY_S).topics[topic].partitions
        except KafkaException:
            return False

    # ── records ────────────────────────────────────────────────────────────────────────────────────────

    def _take(self, store: Store, messages: list[Any]) -> None:
        rows: dict[str, list[Row]] = {}
        read: dict[tuple[str, int], int] = {}
        for message in messages:
            error, place = message.error(), (message.topic(), message.partition())
            if error is None:
                read[place] = message.offset() + 1
                type_ = self._of_topic[place[0]]
                row = self._row(type_, message, place[1])
                if row is not None:
                    rows.setdefault(type_.name, []).append(row)
            elif error.code() == KafkaError._PARTITION_EOF:
                # Compaction leaves gaps, also at the end: this says that there is nothing more.
                read[place] = message.offset()
            else:
                check_read_error(error)
        moved: dict[str, dict[int, int]] = {}
        for place, next_ in read.items():
            if next_ > self._at.get(place, 0):
                self._at[place] = next_
                moved.setdefault(self._of_topic[place[0]].name, {})[place[1]] = next_
        if not store.loaded:
            for name, of_name in rows.items():
                store.load(name, of_name)
        elif not moved:
            return
        else:
            newest = {name: {(r.key, r.partition): r for r in of_name} for name, of_name in rows.items()}
            store.apply({name: of_name.values() for name, of_name in newest.items()}, moved)
            if self._ready:
                self._tell(newest)
        with self._lock:
            self._stored = dict(self._at)

    def _tell(self, newest: Mapping[str, Mapping[tuple[bytes, int], Row]]) -> None:
        # Looked at after the rows can be read: who asks for a key makes it known first, and reads then.
        known = {name: self._known[name]({key for key, _ in of_name}) for name, of_name in newest.items()}
        for name, lists in self._lists.items():
            rows = newest.get(name, {}).values()
            known.setdefault(name, set()).update(row.key for row in rows if row.flags or row.key in lists)
        if found := {name: keys for name, keys in known.items() if keys}:
            self._on_changed(found)

    def _row(self, type_: AnyType, message: Any, partition: int) -> Row | None:
        key, value = message.key(), message.value()
        if key is None:
            self._skip(type_, message, "it has no key")
            return None
        if value is None:
            stamp = next((v for n, v in message.headers() or () if n == STAMP and isinstance(v, bytes)), b"")
            return Row(key, partition, 0, message.timestamp()[1], stamp)
        if type_.flags is None:
            head = value[:_HEADER]
            if head not in self._readable[type_.name]:
                try:
                    type_.decode(value)
                except TouchlineError as error:
                    self._skip(type_, message, error.message)
                    return None
                self._readable[type_.name].add(head)
            return Row(key, partition, 0, None, value)
        try:
            flags = type_.peek(key, value) if type_.peek else type_.flags(key, type_.decode(value))
            return Row(key, partition, flags, None, value)
        except TouchlineError as error:
            self._skip(type_, message, error.message)
            return None

    def _skip(self, type_: AnyType, message: Any, why: str) -> None:
        """A bad record is told, and what was there before stands."""
        TABLE_SKIPPED.labels(type_.topic).inc()
        where = {"partition": message.partition(), "offset": message.offset()}
        name = type_.topic
        _lines.warning("a record of a state is passed over", name, topic=name, **where, why=why)

    # ── who waits ──────────────────────────────────────────────────────────────────────────────────────

    def _settle(self, store: Store) -> None:
        """Call whoever waits for what is there by now. The first to wait is the start itself."""
        with self._lock:
            done = [call for ends, call in self._waiting if self._has(ends)]
            self._waiting = [waits for waits in self._waiting if not self._has(waits[0])]
        if not self._ready and done:
            if not store.loaded:
                at: dict[str, dict[int, int]] = {}
                for (topic, partition), offset in self._at.items():
                    at.setdefault(self._of_topic[topic].name, {})[partition] = offset
                store.finish_load(at)
                _give_back_memory()
            self._on_ready(store)
            with self._lock:
                self._stored, self._ready = dict(self._at), True
        for call in done:
            call()

    def _has(self, ends: Mapping[tuple[str, int], int]) -> bool:
        return all(self._at.get(place, -1) >= end for place, end in ends.items())


def _give_back_memory() -> None:
    """What a million records went through is free now; glibc would keep it for this process: 30 MB."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # another C library
            ctypes.CDLL(None).malloc_trim(0)
