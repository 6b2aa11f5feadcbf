"""The reader of fan-out topics goes on when a leader cannot be asked, and says so when it cannot go on."""

import asyncio
import random
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from consumers.cluster.assignment import Assign, Assigned, share_of
from consumers.cluster.partitions import Partition
from consumers.cluster.reader import Reader
from consumers.delivery.hub import Raw
from kernel.clock import SystemClock

RECORDS = 50
FILL = 20
PARTITIONS = 2


class Listener:
    """Takes down what the reader does."""

    def __init__(self) -> None:
        self.values: list[bytes] = []
        self.at_home: set[Partition] = set()
        self.error: Exception | None = None

    def take(self, topic: str, records: list[Raw]) -> object:
        self.values += [record.value for record in records]
        return None

    def assigned(self, places: set[Partition], whole: set[Partition], counts: dict[str, int]) -> None:
        assert not whole

    def filled(self, place: Partition) -> None:
        self.at_home.add(place)

    def revoked(self, places: set[Partition]) -> None: ...

    def trouble(self, why: str) -> None: ...

    def failed(self, error: Exception) -> None:
        self.error = error


class CutOff:
    """A consumer that reaches no leader when it asks where an end is, as one that is cut off from brokers."""

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer

    def get_watermark_offsets(self, place: TopicPartition, **_: Any) -> tuple[int, int]:
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._consumer, name)


@pytest.fixture
def topic(kafka_servers: str) -> str:
    name = f"fanout-{random.randrange(10**9)}"
    admin = AdminClient({"bootstrap.servers": kafka_servers})
    admin.create_topics([NewTopic(name, PARTITIONS + 1)])[name].result()
    return name


def write(servers: str, topic: str, numbers: range) -> None:
    """To all partitions but the last, which stays empty."""
    producer = Producer({"bootstrap.servers": servers})
    for number in numbers:
        for partition in range(PARTITIONS):
            producer.produce(topic, b"%d" % number, b"k", partition=partition)
    assert producer.flush(60) == 0


async def read(servers: str, topic: str, assign: Assign, listener: Listener, enough: Any) -> None:
    config = {
        "bootstrap.servers": servers,
        "group.id": topic,
        "group.protocol": "consumer",
        "enable.auto.commit": False,
    }
    loop = asyncio.get_running_loop()
    reader = Reader(config, assign, tick_s=0.02, listener=listener, loop=loop, clock=SystemClock())
    reader.start()
    try:
        async with asyncio.timeout(90):
            while not enough():  # noqa: ASYNC110 - it is a thread that says so
                await asyncio.sleep(0.05)
    finally:
        reader.stop()
        await asyncio.to_thread(reader.join, 30)


@pytest.mark.servers
async def test_a_partition_whose_leader_cannot_be_asked_is_read_from_so_many_records_before_its_end(
    kafka_servers: str, topic: str
) -> None:
    write(kafka_servers, topic, range(RECORDS))
    listener = Listener()

    def assign(consumer: Consumer, told: Assigned) -> None:
        share_of(topic, FILL)(CutOff(consumer), told)  # type: ignore[arg-type]

    def enough() -> bool:
        return listener.error is not None or len(listener.at_home) == PARTITIONS + 1

    await read(kafka_servers, topic, assign, listener, enough)
    assert listener.error is None
    assert listener.at_home == {(topic, number) for number in range(PARTITIONS + 1)}
    assert sorted(map(int, listener.values)) == sorted([*range(RECORDS - FILL, RECORDS)] * PARTITIONS)


@pytest.mark.servers
async def test_an_error_while_partitions_are_given_out_ends_the_reader_aloud(
    kafka_servers: str, topic: str
) -> None:
    listener = Listener()

    def assign(consumer: Consumer, told: Assigned) -> None:
        def begin(_: Consumer, __: list[TopicPartition]) -> None:
            # What the client itself raises comes out of `consume` as something that is no Exception.
            consumer.get_watermark_offsets(TopicPartition("nowhere", 0), timeout=1)

        consumer.subscribe([topic], on_assign=begin)

    await read(kafka_servers, topic, assign, listener, lambda: listener.error is not None)
    assert isinstance(listener.error, KafkaException)
