"""PUT /v1/channels/{channel}: what may be set, refused here as the command line and the workers refuse it."""

from typing import Any

import pytest
from aiohttp import ClientSession
from confluent_kafka import Consumer, TopicPartition

from kernel.log.kafka import client_config
from kernel.log.topics import topic_names
from schemas.codec import Codec
from tests.pipeline import Pipeline

pytestmark = pytest.mark.servers


async def put(pipeline: Pipeline, channel: str, body: Any, what: str = "") -> tuple[int, dict[str, Any]]:
    method = "POST" if what else "PUT"
    async with (
        ClientSession() as http,
        http.request(method, f"{pipeline.gateway_url}/v1/channels/{channel}{what}", json=body) as response,
    ):
        return response.status, await response.json(content_type=None)


@pytest.mark.parametrize(
    "wanted",
    [
        {"rate_per_s": -1},
        {"rate_per_s": 0},
        {"max_text": 3_000_000_000},
        {"max_text": 0},
        {"slow_s": "5"},
        {"blocked": ["x"] * 2000},
        {"members": [["ana"]]},
        {"members_only": "yes"},
        {"min_shards": 9, "max_shards": 2},
        {"retention": "for-ever"},
        {"language": "klingon"},
        {"unheard_of": 1},
    ],
)
async def test_what_cannot_be_set_is_refused_at_once(ingesting: Pipeline, wanted: dict[str, Any]) -> None:
    status, problem = await put(ingesting, "final", wanted)
    assert (status, problem["code"]) == (400, "bad_request")
    assert next(iter(wanted)) in problem["detail"]


@pytest.mark.parametrize("shards", [0, 257, "4", True, None])
async def test_a_channel_is_spread_over_1_to_256_shards(ingesting: Pipeline, shards: Any) -> None:
    status, problem = await put(ingesting, "final", {"shards": shards}, "/reshard")
    assert (status, problem["code"]) == (400, "bad_request")


async def test_nothing_is_set_for_a_lane(ingesting: Pipeline) -> None:
    status, problem = await put(ingesting, "final~0", {"slow_s": 1})
    assert (status, problem["code"]) == (400, "bad_request")
    assert "lane" in problem["detail"]


async def test_what_can_be_set_is_on_the_log_when_it_is_answered(ingesting: Pipeline) -> None:
    wanted = {"slow_s": 5, "members": None, "members_only": None, "publishers": ["ana"]}
    assert (await put(ingesting, "taken", wanted))[0] == 202
    settings = ingesting.settings
    consumer = Consumer(client_config(settings, group_id="t", enable_auto_commit=False))
    topic = topic_names(settings).changes
    said: list[bytes] = []
    try:
        for partition in consumer.list_topics(topic, timeout=60).topics[topic].partitions:
            _, end = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=60)
            consumer.assign([TopicPartition(topic, partition, 0)])
            messages = consumer.consume(end, 60) if end else []
            said += [message.value() or b"" for message in messages if message.key() == b"taken"]
    finally:
        consumer.close()
    assert [Codec("control").decode(value)["arguments"] for value in said] == [
        '{"slow_s":5,"members":null,"members_only":null,"publishers":["ana"]}'
    ]
