"""The log's part of a stream's past: reads one partition of `touchline.events.*` between two offsets.

Everything here blocks, and runs in a thread. A reader has a Kafka consumer of its own that joins no group.
"""

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Final, NamedTuple

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from history.pages import Entry, Span
from history.replies import reply_of
from kernel.errors import TouchlineError
from kernel.log.kafka import client_config, unreachable
from kernel.log.positions import MAX_SEQ, Kind, Stream
from kernel.log.records import Partition, Record
from kernel.settings.reading import Settings
from schemas.codec import Codec, Undecodable
from schemas.rendering import render

_WAIT_S: Final = 5.0
_CHUNK: Final = 1000
_ENDS_S: Final = 1.0
#: A partition whose leader is being elected, or that is quite new: it answers in a moment. To the client one
#: that had no leader when it last heard of it is not there, and without an assignment it does not ask again.
_MOVING: Final = frozenset(
    {
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_PARTITION,
        KafkaError._UNKNOWN_TOPIC,
    }
)
_MOVING_S: Final = 0.05
#: Records of one moment: an event that is looked for by its time lies among so many.
_NEAR: Final = 5_000


class _Identified(msgspec.Struct):
    id: str


def _id_of(body: bytes) -> str:
    return msgspec.json.decode(body, type=_Identified).id


class Deadline:
    """When a read must have come to an end."""

    def __init__(self, seconds: float, monotonic: Callable[[], float]) -> None:
        self._monotonic, self._end = monotonic, monotonic() + seconds

    def left(self) -> float:
        """Seconds left. Raises when there are none."""
        left = self._end - self._monotonic()
        if left <= 0:
            raise TouchlineError(
                "unavailable",
                "Reading the log takes too long: the index is far behind, or does not answer.",
                hint="Try again when the indexer has caught up.",
            )
        return left


class Readable(NamedTuple):
    """What history needs of a record."""

    seq: int
    server_ts: int
    body: bytes


def readable(kind: Kind, codec: Codec, value: bytes) -> Readable:
    """An event as it is shown. Raises `undecodable` for what no worker has written."""
    event = codec.decode(value)
    try:
        body = render(kind, event)
        if not 0 <= event["seq"] <= MAX_SEQ:
            raise ValueError("its seq is none")  # noqa: TRY301
    except (ValueError, OverflowError, OSError, TypeError, RecursionError) as error:
        raise Undecodable("undecodable", f"The record is no event that can be shown: {error}.") from None
    return Readable(event["seq"], event["server_ts"], body)


def event_of(codec: Codec, value: bytes) -> dict[str, Any] | None:
    """An event's fields; None for what no worker has written, which the indexer reports."""
    try:
        event = codec.decode(value)
    except TouchlineError:
        return None
    return event if isinstance(event.get("id"), str) and event["id"].isdigit() else None


class GoneError(Exception):
    """Retention has taken what was to be read since the bounds were asked for: ask again."""


class LogReader:
    """Reads partitions of the log, one at a time."""

    def __init__(self, settings: Settings, codecs: dict[Kind, Codec]) -> None:
        self._settings, self._codecs = settings, codecs
        self._consumer = Consumer(
            client_config(
                settings,
                group_id="touchline-history",  # never joined: partitions are assigned by hand
                enable_auto_commit=False,
                enable_partition_eof=True,
                # An offset that retention took meanwhile must not silently become another one.
                auto_offset_reset="error",
                fetch_wait_max_ms=10,
                fetch_error_backoff_ms=20,
                queued_max_messages_kbytes=8192,
                # A reader that has caught up with its queue asks again at once, not after a second.
                fetch_queue_backoff_ms=10,
            )
        )

    def close(self) -> None:
        self._consumer.close()

    def bounds(self, partition: Partition, deadline: Deadline) -> tuple[int, int]:
        """The first offset that the log still holds, and the one that the next record will get."""
        while True:
            try:
                low, high = self._consumer.get_watermark_offsets(
                    TopicPartition(*partition), timeout=min(_WAIT_S, deadline.left())
                )
            except KafkaException as error:
                if error.args[0].code() not in _MOVING:
                    raise unreachable(self._settings, error.args[0].str()) from error
                self._look_again(partition, deadline)
            else:
                return low, high

    def _look_again(self, partition: Partition, deadline: Deadline) -> None:
        """Ask the brokers who leads; what they do not answer shows with the next question."""
        with contextlib.suppress(KafkaException):
            self._consumer.list_topics(partition.topic, timeout=min(_MOVING_S * 20, deadline.left()))
        self._consumer.poll(_MOVING_S)

    def seq_at(
        self, kind: Kind, partition: Partition, offset: int, high: int, deadline: Deadline
    ) -> int | None:
        """The `seq` of the first readable record at or after an offset; None where there is none."""
        for message in self._messages(partition, offset, high, deadline):
            found = self._readable(kind, message)
            if found is not None:
                return found.seq
        return None

    def scan(
        self, span: Span, partition: Partition, start: int, stop: int, deadline: Deadline
    ) -> Iterator[Entry]:
        """The span's events of [start, stop), in the log's order, doubles included."""
        (kind, channel), since, replies_to = span
        key = channel.encode()
        for message in self._messages(partition, start, stop, deadline):
            # Other channels' records are not even decoded.
            found = self._readable(kind, message) if message.key() == key else None
            if found is None or found.server_ts < since:
                continue
            if not replies_to or reply_of(found.body) == replies_to:
                yield Entry(found.seq, found.body)

    def find(
        self, stream: Stream, partition: Partition, event_id: str, at_ms: int, deadline: Deadline
    ) -> bytes | None:
        """The stream's event of that id, whose record has this time."""
        low, high = self.bounds(partition, deadline)  # first: it finds who leads
        first = self.offset_at(partition, at_ms, deadline, default=high)
        start, wanted = max(low, first), b'"id":"%b"' % event_id.encode()
        for entry in self.scan(Span(stream), partition, start, min(high, start + _NEAR), deadline):
            if wanted in entry.body and _id_of(entry.body) == event_id:
                return entry.body
        return None

    def to_ends(
        self, starts: Mapping[Partition, int], ends: Mapping[Partition, int], deadline: Deadline
    ) -> Iterator[tuple[bytes | None, bytes]]:
        """Keys and values of all records of these partitions from these offsets to their ends, read together.
        Of those in `ends` the end is known, and where that is the start nothing is asked for.

        Raises GoneError where the log does not reach back so far any more.
        """
        starts = {place: at for place, at in starts.items() if at < ends.get(place, at + 1)}
        if not starts:
            return
        left = {(place.topic, place.partition) for place in starts}
        last = {(place.topic, place.partition): end - 1 for place, end in ends.items()}
        self._consumer.assign([TopicPartition(*place, offset) for place, offset in starts.items()])
        try:
            while left:
                first = self._consumer.poll(deadline.left())
                batch = [first] if first is not None else []
                for message in [*batch, *self._consumer.consume(_CHUNK, 0)]:
                    error = message.error()
                    if error is None:
                        if (value := message.value()) is not None:
                            yield message.key(), value
                        place = (message.topic() or "", message.partition() or 0)
                        if (message.offset() or 0) >= last.get(place, 1 << 62):
                            left.discard(place)
                    elif error.code() == KafkaError._PARTITION_EOF:
                        left.discard((message.topic() or "", message.partition() or 0))
                    elif error.code() == KafkaError._AUTO_OFFSET_RESET:
                        raise GoneError
                    elif error.fatal() or not error.retriable():
                        raise unreachable(self._settings, error.str())
        finally:
            self._consumer.unassign()

    def between(self, partition: Partition, start: int, stop: int, deadline: Deadline) -> Iterator[Record]:
        """The records of [start, stop)."""
        for message in self._messages(partition, start, stop, deadline):
            yield Record(message.offset() or 0, message.timestamp()[1], message.key(), message.value())

    def offset_at(self, partition: Partition, at_ms: int, deadline: Deadline, *, default: int) -> int:
        """The first record of this time or later; `default` where there is none."""
        times = [TopicPartition(partition.topic, partition.partition, at_ms)]
        try:
            (first,) = self._consumer.offsets_for_times(times, timeout=min(_WAIT_S, deadline.left()))
        except KafkaException as error:
            raise unreachable(self._settings, error.args[0].str()) from error
        return default if first.error is not None or first.offset < 0 else first.offset

    def latest(self, partition: Partition, key: bytes, deadline: Deadline) -> bytes | None:
        """The last value of a key in a compacted topic."""
        low, high = self.bounds(partition, deadline)
        found = None
        for message in self._messages(partition, low, high, deadline):
            if message.key() == key:
                found = message.value()
        return found

    def _readable(self, kind: Kind, message: Message) -> "Readable | None":
        value = message.value()
        try:
            return None if value is None else readable(kind, self._codecs[kind], value)
        except TouchlineError:
            return None  # not an event, whoever wrote it; the indexer reports it

    def _messages(self, partition: Partition, start: int, stop: int, deadline: Deadline) -> Iterator[Message]:
        if start >= stop:
            return
        self._consumer.assign([TopicPartition(partition.topic, partition.partition, start)])
        try:
            while True:
                first = self._consumer.poll(deadline.left())
                batch = [first] if first is not None else []
                batch += self._consumer.consume(_CHUNK, 0)
                for message in batch:
                    error = message.error()
                    if error is not None:
                        if error.code() == KafkaError._PARTITION_EOF:
                            # While leaders change, the end may be told of before `stop` is reached.
                            if (message.offset() or 0) >= stop:
                                return
                            continue
                        if error.code() == KafkaError._AUTO_OFFSET_RESET:
                            raise GoneError
                        if error.fatal() or not error.retriable():
                            raise unreachable(self._settings, error.str())
                        continue
                    offset = message.offset()
                    if offset is None or offset >= stop:
                        return
                    yield message
                    if offset == stop - 1:
                        return
        finally:
            self._consumer.unassign()


def log_ends(admin: AdminClient, places: Collection[Partition]) -> dict[Partition, int]:
    """Where partitions end, asked for at once; nothing where that is not answered. Blocks."""
    latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
    asked = {TopicPartition(*place): latest for place in places}
    try:
        answers = admin.list_offsets(asked, request_timeout=_ENDS_S).items()
        found = {at: future.result(timeout=_ENDS_S).offset for at, future in answers}
    except (KafkaException, ValueError, TimeoutError):
        return {}
    return {Partition(at.topic, at.partition): end for at, end in found.items()}
