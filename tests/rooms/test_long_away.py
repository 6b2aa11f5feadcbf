"""A device that was away for 29 days gets all that it has not acknowledged; what is gone is a gap."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from bench.rooms.world import Made, World
from chaos.parts.changing import read_whole
from control.inbox.places import Device, PlaceOfDevice, Places, ReadPosition, places_key
from control.inbox.tables import places_type, tally_type
from control.inbox.tally import Tally, after, said_of
from kernel.clock import SystemClock
from kernel.log.kafka import client_config
from kernel.log.positions import Kind, partition_of
from kernel.log.topics import DAY_MS, topic_names
from schemas.codec import Codec
from tests.accepted import chat, write, writer
from tests.pipeline import Pipeline, running
from tests.rooms.people import PATIENCE_S, person

DAYS, EACH = 29, 3
NOW = SystemClock().now_ms()


@pytest.fixture(scope="module")
def quiet(
    kafka_servers: str, elasticsearch_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pipeline]:
    """An edge alone: what workers have written lies there, and of the fan-out Kafka has dropped all. While
    Elasticsearch does not answer, nobody says that something is gone."""
    logs: Path = tmp_path_factory.mktemp("away")
    with running(kafka_servers, elasticsearch_url, logs) as pipeline:
        topic, producer = topic_names(pipeline.settings).fanout_live, writer(pipeline.settings)
        for number in range(pipeline.settings.topics.partitions):
            producer.produce(topic, b"long ago", b"long ago", number)
        assert producer.flush(PATIENCE_S) == 0
        drop(pipeline, *(TopicPartition(topic, n, 1) for n in range(pipeline.settings.topics.partitions)))
        pipeline.start("edge")
        yield pipeline


def drop(pipeline: Pipeline, *until: TopicPartition) -> None:
    """What retention does."""
    admin = AdminClient(client_config(pipeline.settings))
    for done in admin.delete_records(list(until)).values():
        done.result(PATIENCE_S)


def past(room: str) -> list[dict[str, Any]]:
    """Three messages a day."""
    found = []
    for number in range(DAYS * EACH):
        at = NOW - (DAYS * DAY_MS) + number * DAY_MS // EACH
        event = chat(f"room-{room}", 10 + number, f"m{number}", at=at)
        found.append({**event, "n": number + 1, "members_at": 1})
    return found


def lie_there(pipeline: Pipeline, room: str, user: str, acked: int) -> list[dict[str, Any]]:
    """A room's month, and a device that has acknowledged its first messages."""
    settings, events = pipeline.settings, past(room)
    World(settings).make([Made(room, ["ana", user])])
    tally = Tally(channel=f"room-{room}")
    for event in events:
        tally = after(tally, said_of(event, 0, b"{}"), None)
    stream = f"chat:room-{room}"
    places = Places(
        devices=(Device("phone", 1, events[acked]["server_ts"], synced=True),),
        numbers=1,
        streams=(ReadPosition(stream, acked=(PlaceOfDevice(1, events[acked]["seq"]),)),),
        revision=1,
    )
    names, producer = topic_names(settings), writer(settings)
    producer.produce(names.tallies, tally_type(settings).encode(tally), f"room-{room}")
    key, place = places_key(user, 0), partition_of(user, settings.topics.partitions)
    producer.produce(names.places, places_type(settings).encode(places), key, partition=place)
    assert producer.flush(PATIENCE_S) == 0
    write(settings, Kind.CHAT, events)
    return events


async def heard(pipeline: Pipeline, user: str) -> list[dict[str, Any]]:
    async with person(pipeline, user, "phone") as who:
        assert (await who.ask("sync"))["rooms"] == 1
        await who.event(f"m{DAYS * EACH - 1}")
        return [m for m in who.heard if m["op"] in ("event", "gap")]


async def test_a_device_gets_a_month_in_order(quiet: Pipeline) -> None:
    events = lie_there(quiet, "long", "bob", acked=4)
    came = await heard(quiet, "bob")
    assert [m["seq"] for m in came] == [event["seq"] for event in events[5:]]
    assert [m["data"]["text"] for m in came[:2]] == ["m5", "m6"]


async def test_what_is_gone_is_told_as_a_gap(quiet: Pipeline) -> None:
    """Kafka has dropped the first week: nobody says that nothing was there."""
    events = lie_there(quiet, "gone", "cat", acked=4)
    topic, place = topic_names(quiet.settings).events[Kind.CHAT], events[0]["partition"]
    first = 7 * EACH
    drop(quiet, TopicPartition(topic, place, offset_of(quiet, events[first])))
    gap, *came = await heard(quiet, "cat")
    assert (gap["op"], gap["after"], gap["seq"]) == ("gap", events[4]["seq"], events[first]["seq"])
    assert [m["seq"] for m in came] == [event["seq"] for event in events[first:]]


def offset_of(pipeline: Pipeline, event: dict[str, Any]) -> int:
    """Where in its partition of the log of events one lies."""
    codec, topic = Codec("event-chat"), topic_names(pipeline.settings).events[Kind.CHAT]
    for message in read_whole(pipeline.settings, topic):
        found = codec.decode(message.value())
        if (found["channel"], found["seq"]) == (event["channel"], event["seq"]):
            return int(message.offset())
    raise AssertionError
