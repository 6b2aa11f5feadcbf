"""The indexer's Kafka side: reads batches of events, makes documents of them. Blocks: runs in a thread."""

import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicCollection,
    TopicPartition,
)

from control.channels.lists import EXPIRING
from control.state import ControlState
from control.topic_tables.follower import TableReader
from history.pages import Watermark
from history.sources.names import day_of, index_name
from kernel.clock import Clock
from kernel.errors import TouchlineError
from kernel.log.kafka import admin_client, client_config
from kernel.log.lag import LagGauge, lags
from kernel.log.positions import MAX_SEQ, Kind, is_channel
from kernel.log.records import Headers
from kernel.log.topics import indexer_group, topic_names
from kernel.process.health import Health
from kernel.process.lines import Lines
from kernel.process.logs import get_logger
from kernel.process.tracing import traced
from kernel.settings.reading import Settings
from schemas.codec import Codec, Undecodable
from schemas.registry import codec_for
from search_indexer.alerts import AlertBook
from search_indexer.indexing.documents import Change, Indexable, indexable, source_of, with_meaning
from search_indexer.indexing.progress import Partition
from search_indexer.indexing.writer import Outlet
from search_indexer.text.by_channel import ChannelFoldings
from search_indexer.text.embeddings import meanings_of
from search_indexer.text.folding import Folding

_log = get_logger("touchline.index")
_lines = Lines("touchline.index")
#: Taken from the consumer at once: an event may have a megabyte.
_CHUNK: Final = 32
_KAFKA_S: Final = 10.0
#: While Elasticsearch is waited for, the brokers are asked so often how much waits, for so long each.
_LAG_EVERY_S: Final = 5.0
_LAG_S: Final = 0.5
#: A million channels are read in twenty seconds.
_READY_S: Final = 120.0
#: The least that brokers allow as they come.
_SESSION_MS: Final = 6_000
#: What librdkafka holds ready; with the batches on their way, the bound of the memory.
_QUEUED_KB: Final = 16 * 1024


def _properties(settings: Settings, group: str | None) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "group_id": group or indexer_group(settings),
        "enable_auto_commit": False,
        "enable_auto_offset_store": False,
        "auto_offset_reset": "earliest",
        "session_timeout_ms": _SESSION_MS,
        "heartbeat_interval_ms": _SESSION_MS // 4,
        "fetch_wait_max_ms": 250,
        "queued_max_messages_kbytes": _QUEUED_KB,
        # A reader that has caught up with its queue asks again at once, not after a second.
        "fetch_queue_backoff_ms": 10,
    }
    port = settings.indexer.port
    if group and (settings.indexer.instance or port):
        # One that was killed is known again by its name when it comes back, and goes on at once: without a
        # name it waits until the group has given up the dead one.
        properties["group_instance_id"] = settings.indexer.instance or f"{socket.gethostname()}-{port}"
    return properties


def _handle(error: KafkaError | None) -> None:
    """Raises `closed` where nothing will come any more: the process ends, and is started again."""
    if error is None:
        return
    if not error.fatal() and error.code() != KafkaError._FATAL:
        _log.warning("kafka", reason=error.str())
        return
    raise TouchlineError(
        "closed",
        f"Kafka has ended this indexer's membership: {error.str()}.",
        hint="It goes on when it is started again, unless another one has the same name:"
        " TOUCHLINE_INDEXER_INSTANCE gives it its own.",
    )


def document_of(
    kind: Kind, codec: Codec, value: bytes, folding_of: Callable[[str, int], Folding]
) -> Indexable:
    """The document of a record. Raises Undecodable for whatever no worker has written."""
    event = codec.decode(value)
    try:
        made = indexable(kind, event, folding_of(event["channel"], event["server_ts"]))
        if not is_channel(made.document.channel) or not 0 <= made.document.seq <= MAX_SEQ:
            raise ValueError("its channel or seq is none")  # noqa: TRY301
        day_of(made.document.at)
    except (ValueError, OverflowError, OSError, TypeError, KeyError, RecursionError) as error:
        raise Undecodable("undecodable", f"The record is no event that can be indexed: {error}.") from None
    return made


@dataclass
class Batch:
    """Events that are written together."""

    generation: int
    lines: list[bytes] = field(default_factory=list)
    #: Where each line's record lies, should it be refused.
    records: list[Message] = field(default_factory=list)
    #: Of each what is still asked for, its kind: all that it says would be ten times as much as its line.
    kinds: list[Kind] = field(default_factory=list)
    #: What edits and retractions among them do.
    changes: list[Change] = field(default_factory=list)
    #: When the first one was accepted.
    first_ms: int = 0
    ends: dict[Partition, Watermark] = field(default_factory=dict)
    indices: set[str] = field(default_factory=set)
    #: Of those that are traced: traceparent, and when they were appended.
    traces: list[tuple[bytes, int]] = field(default_factory=list)
    #: Bytes of records and lines.
    size: int = 0


class EventSource:
    """Reads `touchline.events.*` as a member of the indexers' group, or all partitions on its own."""

    def __init__(
        self, settings: Settings, clock: Clock, *, group: str | None, health: Health | None = None
    ) -> None:
        self._settings, self._clock = settings, clock
        topics = topic_names(settings).events
        self._kinds: Mapping[str, Kind] = {topics[kind]: kind for kind in Kind}
        self._topics, self._gauge = topics, LagGauge(topics.values())
        self._lag_told = float("-inf")
        self._codecs = {kind: codec_for(settings, f"event-{kind}") for kind in Kind}
        self._meanings = meanings_of(settings)
        self._consumer = Consumer(client_config(settings, **_properties(settings, group)))
        self._member = group is not None
        self._traces = self._member and settings.traces.sample > 0
        state, self._on_disk = ControlState.on_disk(
            *(settings, clock, "index"), listing=EXPIRING, on_failed=self._table_failed
        )
        self._failed: BaseException | None = None
        #: In which language each channel's texts are.
        self.foldings: Final = ChannelFoldings(settings.elasticsearch.language, state.channel)
        #: For how long each channel's events are kept.
        self.retention = state.retention
        #: Only for a member of the group: a rebuild tells nobody what was told before.
        self._alerts = AlertBook(settings, clock, state.readers, self.foldings) if self._member else None
        if self._alerts is not None:
            state.on_alert.append(self._alerts.learn)
        tables = state.tables("alerts")
        self._tables = TableReader(settings, clock, tables, name="index-tables", health=health)
        #: Up to where the events of a partition were seen by the alerts: Kafka's committed offsets.
        self._alerted: dict[Partition, int] = {}
        self._outlet = Outlet(settings)
        #: To be awaited once, beside reading.
        self.first_write: Final = self._outlet.first_write
        #: Set when the assignment has changed and positions have to be found.
        self.pending: list[Partition] | None = None

    def subscribe(self) -> None:
        """Join the group."""
        self.read_tables()

        def assigned(consumer: Consumer, partitions: list[TopicPartition]) -> None:
            # Positions come from the index itself, so they are set later, by `start_at`.
            consumer.assign(partitions)
            consumer.pause(partitions)
            self.pending = [(self._kinds[p.topic], p.partition) for p in partitions]

        def revoked(_: Consumer, __: list[TopicPartition]) -> None:
            self.pending = []

        self._consumer.subscribe(list(self._kinds), on_assign=assigned, on_revoke=revoked, on_lost=revoked)

    def read_tables(self) -> None:
        """Know the channels and the alerts, before any event is read."""
        self._on_disk.start(in_loop=False)
        self._tables.read_all()
        self._on_disk.wait_ready(_READY_S)

    def _table_failed(self, error: BaseException) -> None:
        self._failed = error

    def all_partitions(self) -> list[Partition]:
        """Every partition of the events topics, for an indexer that reads them all."""
        found = []
        for kind, topic in self._topics.items():
            metadata = self._consumer.list_topics(topic, timeout=10).topics[topic]
            found += [(kind, number) for number in metadata.partitions]
        return found

    def start_at(self, asked: list[Partition], positions: Mapping[Partition, Watermark]) -> bool:
        """Read from these offsets, if `asked` is still what is pending."""
        if self.pending is not asked:
            return False
        places = [TopicPartition(self._topics[k], n, mark.offset) for (k, n), mark in positions.items()]
        if places and self._alerts is not None:
            # An index that is filled again does not set off alerts again: those follow the group's offsets.
            committed = self._consumer.committed(places, timeout=_KAFKA_S)
            self._alerted = {(self._kinds[p.topic], p.partition): p.offset for p in committed}
        self._consumer.assign(places)
        if places:
            self._consumer.resume(places)
        self.pending = None
        return True

    def moved(self) -> bool:
        """Whether the assignment has changed, and positions have to be found."""
        return self.pending is not None

    def reposition(self, partitions: list[Partition]) -> None:
        """Have positions found anew, unless they have to be anyway."""
        if self.pending is None:
            self.pending = partitions

    def read(self, generation: int, wait_s: float) -> Batch:
        """What has come, at most a batch; waits for it as long as a part-filled batch may wait."""
        if self._failed is not None:
            raise self._failed
        self._tables.read_news()
        limits, now_ms = self._settings.indexer, self._clock.now_ms()
        batch = Batch(generation)
        deadline = self._clock.monotonic() + wait_s
        while len(batch.records) < limits.batch_events and batch.size < limits.batch_bytes:
            left = deadline - self._clock.monotonic()
            count = min(_CHUNK, limits.batch_events - len(batch.records))
            messages = self._consumer.consume(count, max(left, 0))
            if self.pending is not None:
                # What was read belongs to the assignment before. What has gone wrong has gone wrong all the
                # same: the end of a membership comes together with the loss of its partitions.
                for message in messages:
                    _handle(message.error())
                return Batch(generation)
            for message in messages:
                error = message.error()
                if error is None:
                    self._add(batch, message, now_ms)
                else:
                    _handle(error)
            if len(messages) < count:
                break
        self._outlet.poll()
        return batch

    def _add(self, batch: Batch, message: Message, now_ms: int) -> None:
        kind = self._kinds[str(message.topic())]
        partition = (kind, int(message.partition() or 0))
        after, value = int(message.offset() or 0) + 1, message.value() or b""
        batch.size += len(value)
        before = batch.ends.get(partition, Watermark())
        if self._traces and (parent := traced(cast("Headers | None", message.headers()))) is not None:
            batch.traces.append((parent, message.timestamp()[1]))
        try:
            made = document_of(kind, self._codecs[kind], value, self.foldings.of)
        except Undecodable as error:
            self.reject(message, error.code, error.message)
            batch.ends[partition] = Watermark(after, before.seq)
            return
        if made.document.at < self.retention.kept_since(made.document.channel, now_ms):
            # Past its class: what was deleted stays so when the log is read again.
            batch.ends[partition] = Watermark(after, max(before.seq, made.document.seq))
            return
        prefix = self._settings.elasticsearch.index_prefix
        index = index_name(prefix, kind, batch.generation, day_of(made.document.at))
        batch.indices.add(index)
        line = source_of(index, made.id, with_meaning(made.document, made.source, self._meanings))
        batch.size += len(line)
        batch.lines.append(line)
        batch.records.append(message)
        batch.kinds.append(kind)
        batch.first_ms = batch.first_ms or made.document.at
        if made.change is not None:
            batch.changes.append(made.change)
        batch.ends[partition] = Watermark(after, max(before.seq, made.document.seq))
        if self._alerts is not None and after > self._alerted.get(partition, 0):
            self._notify(made)

    def _notify(self, event: Indexable) -> None:
        """Send the event to the streams of the alerts that it sets off."""
        if self._alerts is None or not self._alerts.alerts:
            return
        for alert in self._alerts.matching(event):
            self._outlet.publish(alert, event)
        for rest in self._alerts.news:
            _lines.warning("an alert takes too much and is suspended", alert=rest.id, why=rest.why)
            self._outlet.suspend(rest, self._clock)
        self._alerts.news.clear()

    def reject(self, message: Message, reason: str, sentence: str) -> None:
        """Put a record on touchline.rejected; a rebuild does not, because that was done before."""
        if self._member:
            self._outlet.reject(message, reason, sentence)

    def settle(self, confirmed: Mapping[Partition, Watermark]) -> None:
        """What was rejected or alerted is on the log; then, and only then, tell the group how far we are.

        One call, because each waits its turn behind a read.
        """
        self._outlet.flush()
        self._commit(confirmed)
        self.lag()

    def _commit(self, confirmed: Mapping[Partition, Watermark]) -> None:
        """The index's own watermarks say where to go on; this is for alerts and for lag tools."""
        offsets = [TopicPartition(self._topics[k], n, mark.offset) for (k, n), mark in confirmed.items()]
        if not offsets or not self._member:
            return
        try:
            self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            _log.warning("kafka did not take the commit", reason=error.args[0].str())

    def keep_alive(self) -> None:
        """Stay in the group while nothing can be read, because Elasticsearch does not keep up."""
        partitions = self._consumer.assignment()
        if self.pending is None:
            self._consumer.pause(partitions)
        message = self._consumer.poll(0)
        if self.pending is None:
            self._consumer.resume(partitions)
        if message is not None:
            _handle(message.error())
            if self.pending is None and message.error() is None:
                # A record that slipped through the pause would be left out: begin again where we are sure.
                self.pending = [(self._kinds[p.topic], p.partition) for p in partitions]
        now = self._clock.monotonic()
        if now - self._lag_told >= _LAG_EVERY_S:
            # Nothing is fetched, so the ends that fetches told are old.
            self._lag_told = now
            self._gauge.tell(lags(self._consumer, ask_s=_LAG_S))

    def lag(self) -> None:
        """Set the gauge: records that wait to be read, as far as the last fetches told."""
        self._gauge.tell(lags(self._consumer))

    def remaining(self) -> int:
        """Records between the positions and the end of the log."""
        left = 0
        for place in self._consumer.position(self._consumer.assignment()):
            low, high = self._consumer.get_watermark_offsets(place, timeout=_KAFKA_S)
            left += max(0, high - max(place.offset, low))
        return left

    def topic_ids(self) -> dict[Kind, str]:
        """Kafka's own ids of the events topics."""
        admin = admin_client(client_config(self._settings))
        asked: Mapping[str, Any] = admin.describe_topics(TopicCollection(list(self._kinds)))
        return {
            self._kinds[topic]: str(future.result(timeout=30).topic_id) for topic, future in asked.items()
        }

    def close(self) -> None:
        self._outlet.close()
        self._tables.close()
        self._on_disk.close()
        self._consumer.close()
