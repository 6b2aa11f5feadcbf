"""Several indexers share the work; while they come and go nothing is lost, and nothing is there twice."""

import asyncio
import contextlib
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition

from history.sources.elasticsearch_client import elastic_client
from kernel.clock import SystemClock
from kernel.log.kafka import client_config
from kernel.log.positions import Kind
from kernel.log.topics import indexer_group, topic_names
from search_indexer.searching.search import Searcher
from tests.accepted import chat, write
from tests.pipeline import Pipeline, eventually
from tests.search_indexer.conftest import QUICK
from tests.search_indexer.reading import complete, documents

pytestmark = [pytest.mark.servers, pytest.mark.timeout(550)]
CHANNELS = [f"room-{n}" for n in range(8)]
TURNS = 60
SIZE = 50


@pytest.fixture
def members(kafka_servers: str, elasticsearch_url: str, tmp_path: Path) -> Iterator[list[Pipeline]]:
    """Three who would index for the same deployment; none runs yet."""
    for_all = {**QUICK, "TOUCHLINE_TOPICS_PARTITIONS": "4"}
    first = Pipeline(kafka_servers, elasticsearch_url, tmp_path, **for_all)
    same = {
        "TOUCHLINE_TOPICS_PREFIX": first.name,
        "TOUCHLINE_ELASTICSEARCH_INDEX_PREFIX": first.name,
        "TOUCHLINE_INDEXER_GROUP": indexer_group(first.settings),
    }
    made = [
        first,
        *(Pipeline(kafka_servers, elasticsearch_url, tmp_path, **for_all, **same) for _ in range(2)),
    ]
    yield made
    for each in made:
        each.close()


async def test_indexers_come_and_go(members: list[Pipeline]) -> None:
    one, two, three = members
    settings, calm = one.settings, asyncio.Event()
    offsets = count(1)
    turns = [
        [chat(channel, next(offsets), "said", partitions=4) for channel in CHANNELS for _ in range(SIZE)]
        for _ in range(TURNS)
    ]
    everything = [event for turn in turns for event in turn]

    async def produce() -> None:
        for number, turn in enumerate(turns):
            await asyncio.to_thread(write, settings, Kind.CHAT, turn)
            if number == TURNS - 5:
                await calm.wait()
            await asyncio.sleep(0 if calm.is_set() else 0.25)

    async def come_and_go() -> None:
        await asyncio.to_thread(one.start, "index")
        await asyncio.to_thread(two.start, "index")
        three.launch("index")
        two.kill("index")  # while the third one is joining
        await asyncio.to_thread(eventually, "the third works", lambda: three.is_ready("index"), within=180)
        assert await asyncio.to_thread(one.stop, "index") == 0
        await asyncio.to_thread(two.start, "index")
        three.kill("index")
        calm.set()

    producing = asyncio.create_task(produce())
    await come_and_go()
    await producing
    async with elastic_client(settings) as client:
        for channel in CHANNELS:
            events = [event for event in everything if event["channel"] == channel]
            await complete(settings, client, f"chat:{channel}", len(events))
            found = await documents(client, settings, f"chat:{channel}")
            assert {key: found[key]["seq"] for key in found} == {
                event["id"]: event["seq"] for event in events
            }
        # An event is found as soon as Elasticsearch has refreshed; how far that goes is written after it.
        expected, searcher = ends(one, everything), Searcher(client, settings, SystemClock())
        reached: dict[int, tuple[int, int]] = {}
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(90):
                while reached != expected:
                    marks = (await searcher.watermarks()).watermarks
                    reached = {m.partition: (m.offset, m.seq) for m in marks if m.kind == Kind.CHAT}
    assert reached == expected


def test_of_two_with_one_name_the_earlier_ends_and_says_why(
    kafka_servers: str, elasticsearch_url: str, tmp_path: Path
) -> None:
    one = Pipeline(kafka_servers, elasticsearch_url, tmp_path, TOUCHLINE_INDEXER_INSTANCE="same")
    same = {
        "TOUCHLINE_TOPICS_PREFIX": one.name,
        "TOUCHLINE_ELASTICSEARCH_INDEX_PREFIX": one.name,
        "TOUCHLINE_INDEXER_GROUP": indexer_group(one.settings),
        "TOUCHLINE_INDEXER_INSTANCE": "same",
    }
    two = Pipeline(kafka_servers, elasticsearch_url, tmp_path, **same)
    try:
        one.start("index")
        two.start("index")
        eventually("the first one ends", lambda: "TOUCHLINE_INDEXER_INSTANCE" in one.log("index"))
        eventually("the other one works", lambda: two.is_ready("index"))
    finally:
        one.close()
        two.close()


def ends(pipeline: Pipeline, events: list[dict[str, Any]]) -> dict[int, tuple[int, int]]:
    """Each partition's end on the log, and its highest seq."""
    topic = topic_names(pipeline.settings).events[Kind.CHAT]
    consumer = Consumer(client_config(pipeline.settings, group_id="tests"))
    try:
        highest: dict[int, int] = {}
        for event in events:
            partition = event["partition"]
            highest[partition] = max(highest.get(partition, 0), event["seq"])
        return {
            number: (consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=60)[1], seq)
            for number, seq in highest.items()
        }
    finally:
        consumer.close()
