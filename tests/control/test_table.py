"""What is followed as a table: complete before it says so, whatever lies there; bad records are told."""

import asyncio
import random
import string
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewPartitions
from prometheus_client import REGISTRY

from control.topic_tables.follower import TableReader, TableThread
from control.topic_tables.table import End, Row, TopicTable
from kernel.clock import SystemClock
from kernel.log.kafka import apply_topics, client_config
from kernel.log.topics import Topic
from kernel.process.health import Health
from kernel.settings.reading import Settings, load_settings
from schemas.codec import Codec

CODEC = Codec("control")
CLOCK = SystemClock()


def value(text: str) -> bytes:
    return CODEC.encode({"command": text, "arguments": "{}"})


def skipped(topic: str) -> float:
    return REGISTRY.get_sample_value("touchline_table_records_skipped_total", {"topic": topic}) or 0.0


# ── the core ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_table_is_complete_when_the_end_of_each_partition_was_seen() -> None:
    rows: list[Row] = []
    table = TopicTable("t", CODEC, rows.append)
    assert [table.caught_up] == [False], "of no partition anything is known"
    table.found(0, -2)
    table.found(1, -2)
    assert [table.caught_up] == [False]
    row = table.read(0, 0, 5, b"k", value("x"))
    assert isinstance(row, Row)
    table.take(row)
    table.take(End(0, 1))
    assert [table.caught_up] == [False]
    table.take(End(1, 0))
    assert table.caught_up
    assert [(row.key, row.append_ms) for row in rows] == [("k", 5)]
    assert (table.has(0, 0), table.has(0, 1), table.next(0)) == (True, False, 1)


def test_a_record_that_cannot_be_read_or_taken_in_is_told_and_left_out() -> None:
    taken: list[str] = []

    def learn(row: Row) -> None:
        if row.key == "bad":
            raise KeyError("nothing foresaw this")
        taken.append(row.key)

    table, before = TopicTable("poison", CODEC, learn), skipped("poison")
    table.found(0, 0)
    records = [(b"a", value("x")), (b"b", b"junk"), (b"\xff", value("x")), (b"bad", value("x")), (b"c", None)]
    for offset, (key, said) in enumerate(records):
        row = table.read(0, offset, 0, key, said)
        if row is not None:
            table.take(row)
    assert taken == ["a", "c"]
    assert skipped("poison") - before == 3
    assert table.next(0) == len(records)


def test_what_nobody_wants_is_not_decoded() -> None:
    table = TopicTable("picky", CODEC, lambda _: None, wants=lambda key: key == b"mine")
    table.found(0, 0)
    before = skipped("picky")
    assert table.read(0, 0, 0, b"other", b"junk") is None
    assert isinstance(table.read(0, 1, 0, b"mine", value("x")), Row)
    assert skipped("picky") == before


# ── on Kafka ─────────────────────────────────────────────────────────────────────────────────────────────


class Compacted:
    """A topic of its own."""

    def __init__(self, kafka: str, partitions: int) -> None:
        name = "table." + "".join(random.choices(string.ascii_lowercase, k=8))
        self.settings: Settings = load_settings({"TOUCHLINE_KAFKA_BOOTSTRAP_SERVERS": kafka})
        self.name = name
        self._partitions = partitions
        self.said: dict[str, str | None] = {}

    def make(self) -> None:
        topic = Topic(self.name, "k", "control", self._partitions, {"cleanup.policy": "compact"})
        apply_topics(self.settings, [topic])

    def grow(self, partitions: int) -> None:
        admin = AdminClient(client_config(self.settings))
        for future in admin.create_partitions([NewPartitions(self.name, partitions)]).values():
            future.result()

    def write(self, **said: bytes | None) -> list[tuple[Any, Any]]:
        producer = Producer(client_config(self.settings))
        places: list[tuple[Any, Any]] = []
        for key, each in said.items():
            producer.produce(
                self.name,
                each,
                key,
                on_delivery=lambda _, message: places.append((message.partition(), message.offset())),
            )
        assert producer.flush(60) == 0
        return places

    def table(self) -> TopicTable:
        return TopicTable(self.name, CODEC, self.learn)

    def learn(self, row: Row) -> None:
        if row.value is None:
            self.said.pop(row.key, None)
        else:
            self.said[row.key] = row.value["command"]

    def thread(self, *tables: TopicTable, health: Health, **options: Any) -> TableThread:
        return TableThread(
            self.settings, CLOCK, tables, name="t", health=health, condition="tables", **options
        )


async def until(what: str, ask: Callable[[], Any], within: float = 60.0) -> None:
    deadline = CLOCK.monotonic() + within
    while not ask():
        assert CLOCK.monotonic() < deadline, f"not within {within} s: {what}"
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("partitions", [1, 5])
async def test_a_thread_hands_over_all_that_was_there_before_it_says_so(
    kafka_servers: str, partitions: int
) -> None:
    topic, health = Compacted(kafka_servers, partitions), Health("tables")
    topic.make()
    many = {f"k{n}": value(str(n)) for n in range(1000)}
    await asyncio.to_thread(topic.write, **many)
    await asyncio.to_thread(topic.write, k7=None, bad=b"junk", k8=value("new"))
    seen_at_once: list[int] = []
    table = topic.table()
    async with topic.thread(
        table, health=health, on_caught_up=lambda: seen_at_once.append(len(topic.said))
    ) as thread:
        await asyncio.wait_for(thread.caught_up.wait(), 30)
        assert seen_at_once == [999]
        assert health.ready
        assert (topic.said["k8"], "k7" in topic.said) == ("new", False)
        ((partition, offset),) = await asyncio.to_thread(topic.write, later=value("x"))
        assert await thread.taken(table, partition, offset, within_s=10)
        assert topic.said["later"] == "x"
        assert not await thread.taken(table, partition, offset + 1000, within_s=0.1)


async def test_partitions_that_are_added_are_followed_from_their_beginning(kafka_servers: str) -> None:
    topic, health = Compacted(kafka_servers, 1), Health("tables")
    topic.make()
    async with topic.thread(topic.table(), health=health) as thread:
        await asyncio.wait_for(thread.caught_up.wait(), 30)
        await asyncio.to_thread(topic.grow, 6)
        await asyncio.to_thread(topic.write, **{f"k{n}": value("x") for n in range(60)})
        await until("all of them are there", lambda: len(topic.said) == 60)


async def test_a_topic_that_is_not_there_shows_in_health_until_it_is(kafka_servers: str) -> None:
    topic, health = Compacted(kafka_servers, 2), Health("tables")
    async with topic.thread(topic.table(), health=health) as thread:
        await until("it says what is missing", lambda: topic.name in health.problems.get("tables", ""))
        await asyncio.to_thread(topic.make)
        await asyncio.wait_for(thread.caught_up.wait(), 30)
        assert health.ready


class Stumbling(SystemClock):
    """Fails in a way that nobody has thought of, once, in the middle of reading."""

    def __init__(self) -> None:
        self.asked = 0

    def monotonic(self) -> float:
        self.asked += 1
        if self.asked == 2:
            raise RuntimeError("nobody has thought of this")
        return super().monotonic()


class Noting(Health):
    """Remembers what was wrong."""

    def __init__(self, *conditions: str) -> None:
        super().__init__(*conditions)
        self.told: list[str] = []

    def fail(self, condition: str, why: str) -> None:
        self.told.append(why)
        super().fail(condition, why)


async def test_whatever_ends_the_reading_shows_in_health_and_nothing_is_left_out(kafka_servers: str) -> None:
    topic, health = Compacted(kafka_servers, 1), Noting("tables")
    topic.make()
    await asyncio.to_thread(topic.write, **{f"k{n}": value("x") for n in range(50)})
    thread = TableThread(
        topic.settings, Stumbling(), [topic.table()], name="t", health=health, condition="tables"
    )
    async with thread:
        await until("what was there is taken in", lambda: len(topic.said) == 50)
        await until("and health is well again", lambda: health.ready)
    assert "nobody has thought of this" in health.told[0]


def test_a_reader_takes_in_what_there_is_and_then_what_has_come(kafka_servers: str) -> None:
    topic, health = Compacted(kafka_servers, 3), Health("tables")
    topic.make()
    topic.write(**{f"k{n}": value("x") for n in range(30)}, bad=b"junk")
    reader = TableReader(topic.settings, CLOCK, [topic.table()], name="r", health=health)
    reader.read_all()
    assert len(topic.said) == 30
    assert health.ready
    topic.write(later=value("y"))
    deadline = CLOCK.monotonic() + 60
    while "later" not in topic.said:
        assert CLOCK.monotonic() < deadline
        reader.read_news()
    reader.close()


def test_a_reader_without_a_kafka_says_so() -> None:
    from kernel.errors import TouchlineError

    settings = load_settings({"TOUCHLINE_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9"})
    health = Health("tables")
    reader = TableReader(settings, CLOCK, [TopicTable("t", CODEC, lambda _: None)], name="r", health=health)
    with pytest.raises(TouchlineError, match="does not answer"):
        reader.read_all()
