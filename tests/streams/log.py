"""Reading and writing the topics of a test's pipeline, and the checker of what viewers would see."""

import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from kernel.log.positions import Kind, partition_of, split_seq
from kernel.log.topics import TopicNames, topic_names, worker_group
from kernel.settings.reading import Settings
from schemas.codec import Codec

#: What is heard shortly after a broker's start, or its waking up. librdkafka does not count all of them as
#: worth a retry, nor that it has just dropped the handle of the broker by which it found the others.
_NOT_YET = frozenset(
    {
        KafkaError.NOT_COORDINATOR,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError._UNKNOWN_PARTITION,
        KafkaError._DESTROY_BROKER,
        KafkaError._TRANSPORT,
        KafkaError._TIMED_OUT,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
    }
)


class Log:
    """The topics of a pipeline."""

    def __init__(self, settings: Settings) -> None:
        self.names: TopicNames = topic_names(settings)
        self._servers = {"bootstrap.servers": settings.kafka.bootstrap_servers}
        self._partitions = settings.topics.partitions
        self._group = worker_group(settings)

    def post(self, kind: Kind, channel: str, value: bytes, *, partition: int | None = None) -> None:
        """One record, and wait for it."""
        producer = Producer(self._servers)
        at = partition_of(channel, self._partitions) if partition is None else partition
        producer.produce(self.names.ingest[kind], value, channel.encode(), at)
        assert producer.flush(60) == 0

    def post_chats(
        self, count: int, channels: int, rng: random.Random, *, poison: float = 0.0, first: int = 0
    ) -> int:
        """So many chat records to so many channels; returns how many of them are poison."""
        producer = Producer(
            {
                **self._servers,
                "linger.ms": 20,
                "queue.buffering.max.messages": 500_000,
                "enable.idempotence": True,
            }
        )
        encode, topic, poisoned = Codec("ingest-chat").encode, self.names.ingest[Kind.CHAT], 0
        for number in range(first, first + count):
            channel = f"channel-{rng.randrange(channels)}"
            key = f"k{number}"
            event: dict[str, Any] = {"type": "message", "key": key, "sender": "ana", "client_ts": None}
            value = encode({**event, "data": {"text": f"message {number}", "target": None, "extra": None}})
            if rng.random() < poison:
                value, poisoned = b"\x00poison", poisoned + 1
            producer.produce(topic, value, channel.encode(), partition_of(channel, self._partitions))
            if number % 1000 == 0:
                producer.poll(0)
        assert producer.flush(60) == 0
        return poisoned

    def heartbeat(self, edge: str, *rows: tuple[str, int, int, int]) -> None:
        """What an edge says of its viewers: (stream, version, shard, viewers)."""
        names = ("stream", "version", "shard", "viewers")
        streams = [dict(zip(names, row, strict=True)) for row in rows]
        value = Codec("presence").encode({"edge": edge, "cell": edge, "at": 0, "streams": streams})
        producer = Producer(self._servers)
        producer.produce(self.names.presence, value, edge.encode())
        assert producer.flush(60) == 0

    def audiences(self, channel: str) -> list[dict[str, int]]:
        """The audiences that were told on `broadcast:<channel>`."""
        events = self.values(self.names.events[Kind.BROADCAST], "event-broadcast")
        return [
            msgspec.json.decode(e["data"]["json"])
            for e in events
            if (e["channel"], e["type"]) == (channel, "audience")
        ]

    def totals(self) -> dict[str, int]:
        """The newest sums over all edges on touchline.presence; of all streams together under ""."""
        rows: list[dict[str, Any]] = []
        for message in self.read(self.names.presence):
            if message.key() == b"$audience":
                rows = Codec("presence").decode(message.value() or b"")["streams"]
        return {row["stream"]: row["viewers"] for row in rows}

    def read(self, topic: str) -> Iterator[Message]:
        """All that a topic holds."""
        consumer = Consumer({**self._servers, "group.id": "check", "enable.auto.commit": False})
        try:
            ends = {p: end for p, end in self._ends(consumer, topic).items() if end > 0}
            consumer.assign([TopicPartition(topic, p, 0) for p in ends])
            while ends:
                for message in consumer.consume(5000, 1.0):
                    assert message.error() is None
                    yield message
                    partition = message.partition()
                    if (message.offset() or 0) + 1 >= ends.get(partition or 0, 1 << 62):
                        ends.pop(partition or 0)
        finally:
            consumer.close()

    def values(self, topic: str, schema: str) -> list[dict[str, Any]]:
        codec = Codec(schema)
        return [codec.decode(message.value() or b"") for message in self.read(topic)]

    def lag(self, *kinds: Kind) -> int:
        """Records of ingest that the workers have not committed yet."""
        consumer = Consumer({**self._servers, "group.id": self._group, "enable.auto.commit": False})
        try:
            behind = 0
            for kind in kinds:
                ends = self._ends(consumer, self.names.ingest[kind])
                asked = [TopicPartition(self.names.ingest[kind], p) for p in ends]
                for at in consumer.committed(asked, timeout=60):
                    behind += ends[at.partition] - max(0, at.offset)
            return behind
        except KafkaException as error:
            if error.args[0].code() not in _NOT_YET and not error.args[0].retriable():
                raise
            return 1  # it cannot be told yet: ask again
        finally:
            consumer.close()

    @staticmethod
    def _ends(consumer: Consumer, topic: str) -> dict[int, int]:
        partitions = consumer.list_topics(topic, timeout=60).topics[topic].partitions
        return {
            p: consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=60)[1] for p in partitions
        }


class Seen:
    """What a viewer of every stream sees who drops what is not newer than the last `seq` of its stream."""

    def __init__(self, log: Log) -> None:
        self.repeats = 0
        self.offsets: defaultdict[str, list[int]] = defaultdict(list)
        self.keys: Counter[str] = Counter()
        last: dict[tuple[bytes, str], int] = {}
        codec = Codec("fanout")
        for message in log.read(log.names.fanout_live):
            event = codec.decode(message.value() or b"")
            if not event["stream"].startswith("chat:"):
                continue  # what the workers tell the operators
            place = (message.key() or b"", event["stream"])
            if event["seq"] <= last.get(place, 0):
                self.repeats += 1
                continue
            last[place] = event["seq"]
            self.offsets[event["stream"]].append(split_seq(event["seq"])[1])
            self.keys[msgspec.json.decode(event["body"])["key"]] += 1


def accepted_offsets(log: Log) -> dict[str, list[int]]:
    """Stream -> offsets of its chat records that are not poison, in the order of ingest."""
    found: defaultdict[str, list[int]] = defaultdict(list)
    for message in log.read(log.names.ingest[Kind.CHAT]):
        if message.value() != b"\x00poison":
            found[f"chat:{(message.key() or b'').decode()}"].append(message.offset() or 0)
    return found
