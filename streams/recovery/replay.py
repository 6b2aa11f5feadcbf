"""Replay: recorded ingest judged again, into the topics of a shadow, for audits and for testing new rules.

It is the same fold over the same records, so that with the same rules the output is the same, byte by byte.
Rooms are left out, and said to be: what their members were then is not kept.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Final, NamedTuple

import msgspec
from confluent_kafka import OFFSET_END, Consumer, KafkaException, Producer, TopicPartition

from control.channels.channel import known_since
from control.channels.epochs import Epochs
from control.channels.snapshot import Snapshot
from control.counts import Count
from control.moderation.sanctions import Sanction
from control.topic_tables.snapshot import read_channels, read_counts, read_sanctions
from kernel.access.signing import Signer
from kernel.access.users import ROOM
from kernel.clock import Clock, to_rfc3339
from kernel.errors import TouchlineError
from kernel.log.kafka import apply_topics, client_config, unreachable
from kernel.log.positions import MAX_SEQ, Kind
from kernel.log.records import Partition, Record, Write
from kernel.log.topics import MAX_RECORD_BYTES, TopicNames, topic_names, topics
from kernel.settings.reading import Settings
from schemas.registry import catalog_for
from streams.fold.channels import Channels
from streams.fold.checks.fair_shares import Shares, rates_of
from streams.fold.checks.moves import Moves
from streams.fold.checks.repeats import Repeats
from streams.fold.judge import Judge
from streams.fold.memory import AcceptedEvent, Memory
from streams.fold.states import States
from streams.recovery.restore import read_between, restore

_SLICE: Final = 1000


class Replayed(NamedTuple):
    """What came of a replay."""

    read: int
    accepted: int
    repeated: int
    rejected: int
    #: Records of rooms, which are not judged again.
    rooms: int = 0


def shadow_settings(settings: Settings, name: str) -> Settings:
    """The same deployment, with the shadow's topics."""
    prefix = f"{settings.topics.prefix}.shadow.{name}"
    return msgspec.structs.replace(settings, topics=msgspec.structs.replace(settings.topics, prefix=prefix))


def replay(
    settings: Settings, clock: Clock, name: str, *, since_ms: int, until_ms: int, channels: Collection[str]
) -> Replayed:
    """Judge what was appended from `since_ms` to before `until_ms`; no channels: all but rooms. Blocks."""
    refuse_rooms(channels)
    names, shadow = topic_names(settings), shadow_settings(settings, name)
    selection = _Selection({channel.encode() for channel in channels})
    made = [t for t in topics(shadow) if ".events." in t.name or ".fanout." in t.name or "rejected" in t.name]
    apply_topics(shadow, made)
    consumer = Consumer(
        client_config(settings, **{"group_id": "touchline-replay", "enable_auto_commit": False})
    )
    producer = Producer(
        client_config(settings, acks="all", enable_idempotence=True, message_max_bytes=2 * MAX_RECORD_BYTES)
    )
    try:
        counts = _counts(consumer)
        registry = read_channels(settings, clock)
        refuse_what_was_forgotten(registry, channels, since_ms)
        spans = _spans(consumer, names, counts, since_ms, until_ms)
        outputs = topic_names(shadow)
        outputs.ingest = names.ingest  # what is read, and what rejections name
        judges = _judges(
            settings, outputs, names, registry, counts, sanctions=read_sanctions(settings, clock)
        )
        before = _Numbers(read_counts(settings, clock, only=[f"{k}:{c}" for k in Kind for c in channels]))
        for judge in judges.values():
            judge.memory.counts = before.states(judge.kind)
        # What the decisions rest on lies before the span: it is recalled from the real events.
        restore(
            client_config(settings),
            {place: judges[place] for place in spans},
            {place: start for place, (start, _) in spans.items()},
            lambda place: names.events[judges[place].kind],
            window_ms=round(settings.stream.repeat_window_s * 1000),
            now_ms=since_ms,
            on_decided=lambda place, event: before.learn(judges[place].kind, event),
        )
        total = [0, 0, 0, 0]
        for place, records in _slices(consumer, spans, selection):
            judge = judges[place]
            judge.memory.decided_until = 0
            outcome = judge.fold(records)
            before.take(judge.memory.counts)
            for write in outcome.writes:
                if write.topic != place.topic:  # else it was put back in its time, and lies there
                    _produce(producer, write)
            counted = (len(records), outcome.accepted.total(), outcome.repeated, outcome.rejected.total())
            total = [a + b for a, b in zip(total, counted, strict=True)]
        if producer.flush(60):
            raise TouchlineError("not_delivered", "Kafka did not take all of the shadow's records in time.")
        return Replayed(*total)._replace(rooms=selection.rooms)
    except KafkaException as error:
        raise unreachable(settings) from error
    finally:
        consumer.close()


class _Selection:
    """Which records are judged: those of the channels that are asked for, if any are, and none of rooms."""

    def __init__(self, wanted: Collection[bytes]) -> None:
        self._wanted = wanted
        self.rooms = 0

    def has(self, key: bytes | None) -> bool:
        if self._wanted and key not in self._wanted:
            return False
        if key is not None and key.startswith(ROOM.encode()):
            self.rooms += 1
            return False
        return True


class _Numbers:
    """How far streams were counted before a span: its first event there says so, or nothing came since then.

    While the span is judged, how far they are counted by now.
    """

    def __init__(self, kept: dict[str, Count]) -> None:
        self._counts = kept
        self._found: set[str] = set()

    def learn(self, kind: Kind, event: AcceptedEvent) -> None:
        stream, n = f"{kind}:{event.channel}", event.n
        if n is not None and (stream not in self._found or n <= self._counts[stream].n):
            self._found.add(stream)
            self._counts[stream] = Count(stream, n - 1)

    def states(self, kind: Kind) -> States[Count]:
        return States(lambda channel: self._counts.get(f"{kind}:{channel}"))

    def take(self, judged: States[Count]) -> None:
        self._counts |= {count.stream: count for count in judged.take(MAX_SEQ).values()}


def refuse_rooms(channels: Collection[str]) -> None:
    """Raise `bad_request` for a room: who might write there follows from its members of that time, and what
    is kept of a room says who they are now."""
    if rooms := [channel for channel in channels if channel.startswith(ROOM)]:
        raise TouchlineError(
            "bad_request",
            f"{rooms[0]} is a room's: it cannot be judged again, as it is not kept who was in it then.",
            hint="Name other channels with --channel; without it rooms are left out.",
        )


def refuse_what_was_forgotten(registry: Snapshot, channels: Collection[str], since_ms: int) -> None:
    """Raise `not_found` where a channel's settings of that time are not known any more.

    A channel's record has its last eight settings. With others the replay would judge by what did not hold.
    """
    asked = map(registry.channel, channels) if channels else iter(registry)
    for record in asked:
        since = known_since(record)
        if since_ms < since:
            raise TouchlineError(
                "not_found",
                f"What was set for {record.channel} before {to_rfc3339(since)} is not known any more:"
                " it was changed too often since then.",
                hint="Replay from that time on, or name other channels with --channel.",
            )


def _counts(consumer: Consumer) -> dict[str, int]:
    return {name: len(t.partitions) for name, t in consumer.list_topics(timeout=10).topics.items()}


def _spans(
    consumer: Consumer, names: TopicNames, counts: Mapping[str, int], since_ms: int, until_ms: int
) -> dict[Partition, tuple[int, int]]:
    """Partition -> its first offset and the one after its last."""
    places = [Partition(t, p) for t in names.ingest.values() for p in range(counts.get(t, 0))]

    def offsets(at_ms: int) -> dict[Partition, int]:
        asked = [TopicPartition(p.topic, p.partition, at_ms) for p in places]
        return {
            Partition(a.topic, a.partition): a.offset for a in consumer.offsets_for_times(asked, timeout=10)
        }

    firsts, ends, spans = offsets(since_ms), offsets(until_ms), {}
    for place in places:
        _, high = consumer.get_watermark_offsets(TopicPartition(place.topic, place.partition), timeout=10)
        first, end = (high if at in (-1, OFFSET_END) else at for at in (firsts[place], ends[place]))
        if first < end:
            spans[place] = (first, end)
    return spans


def _judges(
    settings: Settings,
    shadow: TopicNames,
    names: TopicNames,
    registry: Snapshot,
    counts: Mapping[str, int],
    *,
    sanctions: Mapping[str, Mapping[str, Sanction]],
) -> dict[Partition, Judge]:
    window_ms, judges = round(settings.stream.repeat_window_s * 1000), {}
    for kind in Kind:
        topic = names.ingest[kind]
        epochs = registry.epochs.get(topic)
        if epochs is None:
            raise TouchlineError("not_found", "No worker has run here yet: there is nothing to replay.")
        channels = Channels(
            kind,
            registry.channel,
            ingest=epochs[-1].partitions,
            fanout=counts[names.fanout(kind)],
            sanctions=lambda channel: sanctions[channel].get if channel in sanctions else None,
        )
        for partition in range(counts[topic]):
            judges[Partition(topic, partition)] = Judge(
                kind,
                partition,
                names=shadow,
                channels=channels,
                epochs=Epochs(epochs, partition),
                memory=Memory(
                    Repeats(window_ms),
                    shares=Shares(rates_of(settings.stream)),
                    moves=Moves(window_ms, settings.nearby.max_speed_m_s),
                ),
                catalog=catalog_for(settings),
                signer=Signer(settings.auth),
            )
    return judges


def _slices(
    consumer: Consumer, spans: Mapping[Partition, tuple[int, int]], selection: _Selection
) -> Iterator[tuple[Partition, list[Record]]]:
    waiting: dict[Partition, list[Record]] = {}
    for message in read_between(consumer, spans):
        if not selection.has(message.key()):
            continue
        place = Partition(message.topic(), message.partition())
        records = waiting.setdefault(place, [])
        records.append(
            Record(
                *(message.offset(), message.timestamp()[1], message.key(), message.value(), message.headers())
            )
        )
        if len(records) >= _SLICE:
            yield place, waiting.pop(place)
    yield from waiting.items()


def _produce(producer: Producer, write: Write) -> None:
    topic, value, key, partition, timestamp, headers = write
    produce: Callable[..., None] = producer.produce
    while True:
        try:
            produce(topic, value, key, partition, timestamp=timestamp, headers=headers)
        except BufferError:
            producer.poll(0.1)
        else:
            producer.poll(0)
            return
