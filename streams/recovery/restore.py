"""Taking partitions over: what was decided lately is read from touchline.events, the log of those decisions.

There is no changelog beside it: an accepted event has its key, its sender and its place. Read are the window
in which keys are remembered, and the tail past the committed offset, where the decisions of a worker that
died before its commit are found; they are repeated, not taken anew.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from confluent_kafka import Consumer, TopicPartition

from kernel.access.users import USER
from kernel.errors import TouchlineError
from kernel.log.kafka import check_read_error
from kernel.log.positions import MAX_SEQ, Kind, split_seq
from kernel.log.records import Partition
from kernel.process.logs import get_logger
from kernel.process.metrics import SKIPPED
from schemas.checks import CHANGES, MAX_KEY, MAX_SENDER
from schemas.rejections import FAULTS
from streams.fold.checks.moves import move_of
from streams.fold.judge import Judge, came_by_a_door, origin_of
from streams.fold.memory import AcceptedEvent

_log = get_logger("touchline.restore")

_POLL_S: Final = 0.2
_AT_ONCE: Final = 2000
#: A partition that gives nothing for so many polls cannot be read: better to end than to decide blindly.
_PATIENCE: Final = 150


def restore(
    config: Mapping[str, Any],
    judges: Mapping[Partition, Judge],
    starts: Mapping[Partition, int],
    events_of: Callable[[Partition], str],
    *,
    window_ms: int,
    now_ms: int,
    on_decided: Callable[[Partition, AcceptedEvent], None] = lambda *_: None,
) -> int:
    """Fill the judges' memories; returns how many events were read. Blocks: call it in a thread.

    `on_decided` is called with each event of the records that are to be judged (again).
    """
    if not starts:
        return 0
    consumer = Consumer(
        {
            **config,
            "group.id": "touchline-restore",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "fetch.queue.backoff.ms": 5,
            "fetch.wait.max.ms": 100,
        }
    )
    try:
        since = {place: at - window_ms for place, at in _first_append(consumer, starts, now_ms).items()}
        source = {Partition(events_of(place), place.partition): place for place in starts}
        asked = [TopicPartition(e.topic, e.partition, max(0, since[p])) for e, p in source.items()]
        places = {
            Partition(a.topic, a.partition): a.offset for a in consumer.offsets_for_times(asked, timeout=10)
        }
        decided: dict[Partition, dict[int, int | None]] = {place: {} for place in starts}
        ends = {place: _end(consumer, place) for place in starts}
        read, skipped = 0, Counter[str]()
        known = {event: at for event, at in places.items() if at >= 0}
        for message in read_between(consumer, _spans_to_end(consumer, known)):
            place = source[Partition(message.topic(), message.partition())]
            judge = judges[place]
            try:
                past = accepted_event(judge, message, ends[place])
                if past is None:
                    continue  # of an ingest topic that is no more: its offsets mean nothing now
                if past.offset >= starts[place]:
                    # It is judged again, and remembered then.
                    decided[place][past.offset] = past.n
                    on_decided(place, past)
                else:
                    judge.restore(past)
            except FAULTS:
                raise
            except Exception as error:
                # Whoever wrote it: no worker did, so no decision of one is in it.
                _skip(message, error, skipped)
                continue
            read += 1
        for place, numbers in decided.items():
            memory = judges[place].memory
            memory.decided = frozenset(numbers)
            memory.decided_until = max(numbers, default=-1) + 1
            memory.numbers = {offset: n for offset, n in numbers.items() if n is not None}
        return read
    finally:
        consumer.close()


def accepted_event(judge: Judge, message: Any, end: int) -> AcceptedEvent | None:
    """What a record of touchline.events says of a decision. None: it is of another epoch.

    Raises whatever it may where a worker cannot have written it.
    """
    event = judge.decode_event(message.value())
    epoch, offset = split_seq(event["seq"])
    if judge.epoch_of(offset) != epoch:
        return None
    channel, key, sender = event["channel"], event["key"], event["sender"]
    if (
        message.key() != channel.encode()
        or not 0 <= offset < end
        or event["partition"] != judge.partition
        or len(key or "") > MAX_KEY
        or len(sender or "") > MAX_SENDER
        or event["server_ts"] != message.timestamp()[1]
        or not 0 < (event["n"] or 1) <= MAX_SEQ
    ):
        raise TouchlineError("invalid_event", "The record says of itself what no worker has written.")
    headers = message.headers()
    return AcceptedEvent(
        *(channel, offset, event["server_ts"], key, sender, origin_of(headers)),
        shared=len(message.value()) if came_by_a_door(headers) else None,
        n=event["n"],
        move=move_of(event, event["server_ts"]) if _is_own(judge.kind, channel) else None,
        changes=event["type"] in CHANGES,
    )


def _is_own(kind: Kind, channel: str) -> bool:
    """Whether it says where a channel's own user is."""
    return kind is Kind.LOCATION and channel.startswith(USER)


def _skip(message: Any, error: Exception, skipped: Counter[str]) -> None:
    """Passed over, and counted; the log tells of the first of each topic, and at a thousand more."""
    topic = message.topic()
    SKIPPED.labels(topic).inc()
    skipped[topic] += 1
    if skipped[topic] % 1000 == 1:
        _log.warning(
            "a record is no event, and is passed over",
            topic=topic,
            partition=message.partition(),
            offset=message.offset(),
            so_far=skipped[topic],
            reason=str(error)[:300],
        )


def _end(consumer: Consumer, place: Partition) -> int:
    """The offset that the partition's next record will get: nothing beyond it was ever judged."""
    high: int = consumer.get_watermark_offsets(TopicPartition(place.topic, place.partition), timeout=10)[1]
    return high


def _first_append(consumer: Consumer, starts: Mapping[Partition, int], now_ms: int) -> dict[Partition, int]:
    """When the first record that will be read was appended; now, where there is none yet."""
    found = dict.fromkeys(starts, now_ms)
    behind: dict[Partition, int] = {}
    for place, start in starts.items():
        at = TopicPartition(place.topic, place.partition)
        low, high = consumer.get_watermark_offsets(at, timeout=10)
        if max(start, low) < high:
            behind[place] = max(start, low)
    waiting = set(behind)
    if waiting:
        consumer.assign([TopicPartition(p.topic, p.partition, at) for p, at in behind.items()])
    for message in _poll(consumer, lambda: bool(waiting)):
        place = Partition(message.topic(), message.partition())
        if place in waiting:
            waiting.discard(place)
            found[place] = message.timestamp()[1]
            consumer.incremental_unassign([TopicPartition(place.topic, place.partition)])
    return found


def _spans_to_end(consumer: Consumer, places: Mapping[Partition, int]) -> dict[Partition, tuple[int, int]]:
    spans = {}
    for place, start in places.items():
        at = TopicPartition(place.topic, place.partition)
        low, high = consumer.get_watermark_offsets(at, timeout=10)
        spans[place] = (max(low, start), high)
    return spans


def read_between(consumer: Consumer, spans: Mapping[Partition, tuple[int, int]]) -> Iterator[Any]:
    """The records of each partition from its first offset to before its last."""
    ends = {place: end for place, (start, end) in spans.items() if start < end}
    if not ends:
        return
    consumer.assign([TopicPartition(p.topic, p.partition, spans[p][0]) for p in ends])
    for message in _poll(consumer, lambda: bool(ends)):
        place = Partition(message.topic(), message.partition())
        end = ends.get(place)
        if end is not None and message.offset() < end:
            yield message
        if end is not None and message.offset() + 1 >= end:
            del ends[place]


def _poll(consumer: Consumer, more: Callable[[], bool]) -> Iterable[Any]:
    silent = 0
    while more():
        messages: list[Any] = consumer.consume(1, _POLL_S)
        silent = 0 if messages else silent + 1
        if silent > _PATIENCE:
            raise TouchlineError("unavailable", "Kafka did not give the events that restoring has to read.")
        for message in messages + consumer.consume(_AT_ONCE, 0):
            error = message.error()
            if error is None:
                yield message
            else:
                check_read_error(error)
