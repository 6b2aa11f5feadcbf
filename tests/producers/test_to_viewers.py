"""From the SDK through a worker and an edge to a viewer: under a registry's ids, and over lanes."""

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer as BareProducer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from consumers.client.viewer import Viewer
from embedded.ports import find_free
from kernel.log.kafka import client_config
from kernel.log.positions import Kind, split_lane
from kernel.log.topics import topic_names
from producers import Chat, Location, Producer
from schemas.catalog import Version, built_in
from schemas.events import Event
from tests.pipeline import Pipeline
from tests.registries import IDS, running_registry

Reading = Callable[..., list[tuple[int, bytes, bytes]]]
LANES = 3


@pytest.fixture(scope="module")
def served(kafka_servers: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """A worker and an edge that write and read under the ids of a registry."""
    logs: Path = tmp_path_factory.mktemp("viewers")
    port = find_free()
    url = f"http://127.0.0.1:{port}"
    pipeline = Pipeline(kafka_servers, "http://127.0.0.1:9", logs, TOUCHLINE_SCHEMA_REGISTRY_URL=url)
    with running_registry(pipeline.settings, port=port):
        try:
            pipeline.start("stream", "edge")
            yield pipeline
        finally:
            pipeline.close()


async def seen(viewer: Viewer, stream: str, count: int) -> list[Event]:
    """So many events of a stream, from its beginning."""
    found: list[Event] = []
    async with asyncio.timeout(60):
        async for event in viewer.stream(stream, after=0):
            found.append(event)
            if len(found) == count:
                break
    return found


async def test_all_parts_write_and_read_a_registrys_ids(served: Pipeline, read_topic: Reading) -> None:
    names = topic_names(served.settings)
    async with Producer(served.settings) as producer, Viewer(served.edge_url) as viewer:
        await producer.chat("ids", "of the SDK")
        await asyncio.to_thread(post_as_confluents_serializer_does, served, "ids")
        await viewer.publish("chat:ids", {"text": "of a viewer"})
        events = await seen(viewer, "chat:ids", 3)
    assert {event.data["text"] for event in events} == {"of the SDK", "of the serializer", "of a viewer"}
    for topic, schema in (
        (names.ingest[Kind.CHAT], "ingest-chat"),
        (names.events[Kind.CHAT], "event-chat"),
        (names.fanout_live, "fanout"),
        (names.channels, "channel"),
        (names.presence, "presence"),
    ):
        records = await asyncio.to_thread(read_topic, served.settings, topic)
        ids = {int.from_bytes(value[1:5]) for _, _, value in records if value}
        # What needs nothing of a newer version is written in an older one, so that older roles can read it.
        known = {IDS[version] for version in built_in().schemas if version.name == schema}
        assert ids, topic
        assert ids <= known, topic


def post_as_confluents_serializer_does(pipeline: Pipeline, channel: str) -> None:
    """It registers the schema that it writes with, before it writes; the registry knows it already."""
    topic = topic_names(pipeline.settings).ingest[Kind.CHAT]
    event = {
        "type": "message",
        "key": None,
        "sender": None,
        "client_ts": None,
        "data": {"text": "of the serializer", "target": None, "extra": None},
    }
    schema = json.dumps(built_in().schemas[Version("ingest-chat", 1)])
    with SchemaRegistryClient({"url": pipeline.settings.schema_registry.url}) as client:
        value = AvroSerializer(client, schema)(event, SerializationContext(topic, MessageField.VALUE))
    producer = BareProducer(client_config(pipeline.settings, partitioner="murmur2_random"))
    producer.produce(topic, value, channel)
    assert producer.flush(30) == 0


async def test_whoever_watches_a_spread_channel_gets_all_lanes_each_in_its_order(served: Pipeline) -> None:
    async with Producer(served.settings) as producer, Viewer(served.edge_url) as viewer:
        watching = asyncio.create_task(seen(viewer, "chat:hot", 3 + 60 + 30))
        for number in range(3):
            await producer.chat("hot", f"before-{number}", sender="ana")
        assert (
            await producer.send_many(
                (Chat("hot", f"{n}", sender=f"s{n % 7}") for n in range(60)), spread=LANES
            )
            == 60
        )
        await asyncio.gather(
            *(producer.send(Chat("hot", f"single-{n}"), spread=LANES) for n in range(30)),
        )
        events = await watching
    by_stream: dict[str, list[Event]] = {}
    for event in events:
        by_stream.setdefault(event.stream, []).append(event)
    assert {split_lane(stream)[1] for stream in by_stream} == {None, *range(LANES)}
    for stream, found in by_stream.items():
        assert [event.seq for event in found] == sorted({event.seq for event in found}), stream
    for sender in range(7):
        said = [event for event in events if event.sender == f"s{sender}"]
        assert [event.data["text"] for event in said] == [str(n) for n in range(60) if n % 7 == sender]
        assert len({event.stream for event in said}) == 1


async def test_locations_and_the_command_line_spread_too(served: Pipeline) -> None:
    lines = "\n".join(json.dumps({"data": {"lat": 1, "lon": n}}) for n in range(12))
    await asyncio.to_thread(served.run, "publish", "location:bus", "-", "--spread", str(LANES), stdin=lines)
    async with Producer(served.settings) as producer, Viewer(served.edge_url) as viewer:
        watching = asyncio.create_task(seen(viewer, "location:bus", LANES))
        await producer.location("bus", 2, 1, spread=LANES)
        async with asyncio.timeout(60):
            while not watching.done():
                await producer.send_many([Location("bus", 2, n) for n in range(LANES)], spread=LANES)
                await asyncio.wait([watching], timeout=0.2)
        lanes = {split_lane(event.stream)[1] for event in await watching}
    assert lanes <= set(range(LANES))


def test_a_simulated_match_is_watched_over_real_sockets(served: Pipeline) -> None:
    match = ("simulate", "match", "--speed", "5400", "--rate", "50", "--seed", "3")
    [summary] = served.lines(*match, "--viewers", "2")
    assert (summary["viewers"], summary["missed"]) == (2, 0)
    assert 2 * 20 < summary["seen"] < 2 * summary["delivered"]
