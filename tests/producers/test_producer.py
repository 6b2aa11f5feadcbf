"""The asyncio producer on a real broker: delivered, in order, in the right partition; or refused before."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from msgspec.structs import replace

from kernel.errors import TouchlineError
from kernel.log.kafka import client_config
from kernel.log.positions import Kind, partition_of, split_lane
from kernel.log.topics import topic_names
from kernel.settings.reading import Settings, load_settings
from producers import Broadcast, Chat, Location, Post, Producer, SomeNotDelivered
from producers.sending.preparing import Preparing
from schemas.codec import Codec
from schemas.ingest import decode_ingest

Reading = Callable[[Settings, str], list[tuple[int, bytes, bytes]]]


def texts(records: Any, channel: str) -> list[str]:
    return [
        decode_ingest(Kind.CHAT, value)["data"]["text"]
        for _, key, value in records
        if key == channel.encode()
    ]


async def test_each_kind_arrives_as_its_schema_has_it(fresh_settings: Settings, read_topic: Reading) -> None:
    async with Producer(fresh_settings) as producer:
        told = await producer.broadcast("final", "goal", {"minute": 12}, key="g1")
        said = await producer.chat(
            "final", "Olé ⚽", sender="ana", extra={"mood": 1}, client_ts=1_767_225_600_000
        )
        seen = await producer.location("user-7", 51.5, -0.25, accuracy=8)
    names = topic_names(fresh_settings)
    for kind, channel, delivered, data in (
        (Kind.BROADCAST, "final", told, {"json": '{"minute":12}'}),
        (Kind.CHAT, "final", said, {"text": "Olé ⚽", "target": None, "extra": '{"mood":1}'}),
        (
            Kind.LOCATION,
            "user-7",
            seen,
            {"lat": 51.5, "lon": -0.25, "accuracy": 8.0, "heading": None, "speed": None, "extra": None},
        ),
    ):
        [(partition, key, value)] = read_topic(fresh_settings, names.ingest[kind])
        assert key == channel.encode()
        assert partition == delivered.partition == partition_of(channel, 4)
        assert delivered.offset == 0
        assert delivered.append_ms is not None
        assert decode_ingest(kind, value)["data"] == data
    assert said.append_ms is not None
    assert seen.append_ms is not None
    assert said.append_ms <= seen.append_ms


async def test_many_events_keep_their_order_in_each_channel(
    fresh_settings: Settings, read_topic: Reading
) -> None:
    async with Producer(fresh_settings) as producer:
        sent = await producer.send_many(Chat(f"c{n % 7}", str(n)) for n in range(5000))
    assert sent == 5000
    records = read_topic(fresh_settings, topic_names(fresh_settings).ingest[Kind.CHAT])
    assert len(records) == 5000
    for channel in range(7):
        assert texts(records, f"c{channel}") == [str(n) for n in range(5000) if n % 7 == channel]


async def test_events_of_an_asynchronous_source_are_sent_as_they_come(fresh_settings: Settings) -> None:
    async def source() -> AsyncIterator[Broadcast]:
        for n in range(10):
            await asyncio.sleep(0)
            yield Broadcast("final", "tick", {"n": n})

    async with Producer(fresh_settings) as producer:
        assert await producer.send_many(source()) == 10


async def test_a_full_queue_makes_senders_wait_and_keeps_their_order(
    fresh_settings: Settings, read_topic: Reading
) -> None:
    narrow = replace(fresh_settings, producer=replace(fresh_settings.producer, max_in_flight=10))
    async with Producer(narrow) as producer:
        first = asyncio.create_task(producer.send_many(Chat("a", str(n)) for n in range(2000)))
        second = asyncio.create_task(producer.send_many(Chat("b", str(n)) for n in range(2000)))
        singles = [asyncio.create_task(producer.send(Chat("c", str(n)))) for n in range(300)]
        assert await first == await second == 2000
        await asyncio.gather(*singles)
    records = read_topic(fresh_settings, topic_names(fresh_settings).ingest[Kind.CHAT])
    assert texts(records, "a") == texts(records, "b") == [str(n) for n in range(2000)]
    assert texts(records, "c") == [str(n) for n in range(300)]


async def test_without_waiting_a_full_queue_is_an_error(fresh_settings: Settings) -> None:
    nowhere = replace(
        fresh_settings,
        kafka=replace(fresh_settings.kafka, bootstrap_servers="127.0.0.1:1"),
        producer=replace(fresh_settings.producer, max_in_flight=2),
    )
    producer = Producer(nowhere)
    producer.open()
    waiting = [await producer.submit(Chat("a", "x"), wait=False) for _ in range(2)]
    with pytest.raises(TouchlineError, match="wait") as full:
        await producer.submit(Chat("a", "x"), wait=False)
    assert full.value.code == "queue_full"
    with pytest.raises(TouchlineError, match="2 events on their way") as left:
        await producer.close(timeout_s=0.1)
    assert left.value.code == "not_delivered"
    for confirmation in waiting:
        with pytest.raises(TouchlineError) as lost:
            await confirmation
        assert lost.value.code == "not_delivered"


async def test_what_cannot_be_delivered_in_time_is_named(fresh_settings: Settings) -> None:
    nowhere = replace(
        fresh_settings,
        kafka=replace(fresh_settings.kafka, bootstrap_servers="127.0.0.1:1"),
        producer=replace(fresh_settings.producer, delivery_timeout_s=0.5),
    )
    posts = [Chat("a", "1"), Chat("a", ""), Chat("a", "1"), Chat("b", "3")]
    async with Producer(nowhere) as producer:
        with pytest.raises(SomeNotDelivered, match="4 events were not delivered, 0 delivered") as some:
            await producer.send_many(posts)
    assert [(f.index, f.post, f.error.code) for f in some.value.failures] == [
        (0, posts[0], "not_delivered"),
        (1, posts[1], "invalid_event"),
        (2, posts[2], "not_delivered"),
        (3, posts[3], "not_delivered"),
    ]


async def test_invalid_events_among_many_are_named_and_the_others_arrive(
    fresh_settings: Settings, read_topic: Reading
) -> None:
    posts = [Chat("a", "one"), Chat("a b", "two"), Chat("a", ""), Chat("a", "four")]
    async with Producer(fresh_settings) as producer:
        with pytest.raises(SomeNotDelivered) as some:
            await producer.send_many(posts)
    assert some.value.delivered == 2
    assert [(f.index, f.error.code) for f in some.value.failures] == [
        (1, "bad_channel"),
        (2, "invalid_event"),
    ]
    assert texts(read_topic(fresh_settings, topic_names(fresh_settings).ingest[Kind.CHAT]), "a") == [
        "one",
        "four",
    ]


@pytest.mark.parametrize(
    ("post", "code"),
    [
        (Chat("a b", "x"), "bad_channel"),
        (Chat("", "x"), "bad_channel"),
        (Chat("a", ""), "invalid_event"),
        (Chat("a", "\ud800"), "invalid_event"),
        (Chat("a", 5), "invalid_event"),  # type: ignore[arg-type]
        (Chat("a", "x", key="k" * 129), "invalid_event"),
        (Chat("a", "x" * 1024 * 1024), "too_large"),
        (Location("a", 91, 0), "invalid_event"),
        (Location("a", float("nan"), 0), "invalid_event"),
        (Location("a", "north", 0), "invalid_event"),  # type: ignore[arg-type]
        (Broadcast("a", "goal", {"x": object()}), "invalid_event"),
        (Broadcast("a", "goal", [1]), "invalid_event"),  # type: ignore[arg-type]
        (Post(kind=Kind.BROADCAST, channel="a", data={}), "invalid_event"),
    ],
)
async def test_what_is_not_valid_is_a_typed_error_and_is_not_sent(
    post: Any, code: str, producer_settings: Settings
) -> None:
    async with Producer(producer_settings) as producer:
        with pytest.raises(TouchlineError) as refused:
            await producer.send(post)
    assert refused.value.code == code


async def test_a_spread_channel_keeps_each_senders_order_on_one_lane(
    fresh_settings: Settings, read_topic: Reading
) -> None:
    async with Producer(fresh_settings) as producer:
        await asyncio.gather(
            *(producer.chat("hot", f"{n}", sender=f"s{n % 5}", spread=3) for n in range(60)),
            *(producer.broadcast("hot", "tick", spread=3) for _ in range(9)),
        )
        with pytest.raises(TouchlineError, match="spread"):
            await producer.chat("hot", "x", spread=65)
    names = topic_names(fresh_settings)
    lanes = defaultdict(set)
    for _, key, value in read_topic(fresh_settings, names.ingest[Kind.CHAT]):
        base, number = split_lane(key.decode())
        assert base == "hot"
        lanes[decode_ingest(Kind.CHAT, value)["sender"]].add(number)
    assert all(len(numbers) == 1 for numbers in lanes.values())
    # The workers are told once of each number of lanes, so that subscribers get them all.
    [(_, channel, command)] = read_topic(fresh_settings, names.changes)
    assert channel == b"hot"
    assert Codec("control").decode(command)["command"] == "set_lanes"
    assert Codec("control").decode(command)["arguments"] == '{"lanes":3}'
    told = [key.decode() for _, key, _ in read_topic(fresh_settings, names.ingest[Kind.BROADCAST])]
    assert sorted(told) == sorted(["hot~0", "hot~1", "hot~2"] * 3)


@pytest.mark.parametrize(
    ("channel", "count", "says"),
    [("final~3", 4, "is a lane"), ("user-ana", 2, "can have no lanes"), ("final", 65, "lanes is 65")],
)
def test_lanes_that_the_workers_would_refuse_are_not_asked_for(channel: str, count: int, says: str) -> None:
    prepare = Preparing(topic_names(load_settings({})))
    with pytest.raises(TouchlineError, match=says) as refused:
        prepare.lanes(channel, count)
    assert refused.value.code == "bad_request"


async def test_a_closed_producer_says_so(producer_settings: Settings) -> None:
    producer = Producer(producer_settings)
    with pytest.raises(TouchlineError, match="not open"):
        await producer.chat("a", "x")
    async with producer:
        await producer.chat("a", "x")
    with pytest.raises(TouchlineError, match="closed"):
        await producer.chat("a", "x")
    with pytest.raises(TouchlineError, match="closed"):
        await producer.send_many([Chat("a", "x")])


async def test_flush_waits_for_what_was_submitted(producer_settings: Settings) -> None:
    async with Producer(producer_settings) as producer:
        confirmations = [await producer.submit(Chat("a", str(n))) for n in range(100)]
        await producer.flush()
        assert all(confirmation.done() for confirmation in confirmations)


def test_the_client_neither_loses_doubles_nor_reorders_by_its_properties(producer_settings: Settings) -> None:
    from producers.sending.outbox import properties

    assert {"enable.idempotence": True, "acks": "all", "partitioner": "murmur2_random"}.items() <= properties(
        producer_settings
    ).items()
    assert properties(producer_settings).items() >= client_config(producer_settings).items()
