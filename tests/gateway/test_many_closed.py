"""However many channels are closed, searches answer, and show nothing of them: not even of their lanes."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from control.channels.channel import ChannelRecord, to_avro
from control.channels.channel import Settings as ChannelSettings
from history.sources.elasticsearch_client import elastic_client
from kernel.log.kafka import apply_topics
from kernel.log.positions import Kind
from kernel.log.topics import topic_names, topics
from schemas.codec import Codec
from search_indexer.indexing.documents import indexable
from search_indexer.text.folding import Folding
from tests.accepted import chat, write, writer
from tests.gateway.asking import OFFSETS, ask, token
from tests.gateway.conftest import SECRET
from tests.pipeline import Pipeline
from tests.search_indexer.conftest import QUICK

pytestmark = [pytest.mark.servers, pytest.mark.timeout(240)]
CLOSED = 5000
#: Whose events are there; what `ana` may see of them comes first.
CHANNELS = ("open", "open~3", "open~99", "closed-7", "closed-4999", "closed-7~5", "closed-7~70", "closed-9~0")
OPEN = 3


async def test_searches_answer_beside_thousands_of_closed_channels(
    kafka_servers: str, elasticsearch_url: str, tmp_path: Path
) -> None:
    given = {**QUICK, "TOUCHLINE_AUTH_SECRET": SECRET}
    pipeline = Pipeline(kafka_servers, elasticsearch_url, tmp_path, **given)
    settings, codec = pipeline.settings, Codec("channel")
    apply_topics(settings, topics(settings))
    producer = writer(settings)
    for number in range(CLOSED):
        record = ChannelRecord(channel=f"closed-{number}", settings=ChannelSettings(readers=("ben",)))
        value = codec.encode(to_avro(record))
        producer.produce(topic_names(settings).channels, value, record.channel.encode(), 0)
        producer.poll(0)
    assert producer.flush(30) == 0
    try:
        pipeline.start("index", "gateway")
        write(settings, Kind.CHAT, [chat(name, next(OFFSETS), "hello there") for name in CHANNELS])
        everything = token("root", search=("*",), admin=("*",))

        async def found(who: str) -> tuple[int, set[str]]:
            params = {"q": "hello", "limit": "100", "facets": "1"}
            status, answer = await ask(pipeline, "/v1/search", who, params=params)
            assert status == 200, answer
            streams = {hit["event"]["stream"].removeprefix("chat:") for hit in answer["hits"]}
            assert {bucket["value"] for bucket in answer["facets"]["channel"]} == streams
            return answer["total"], streams

        async with asyncio.timeout(90):
            while (await found(everything))[0] < len(CHANNELS):  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.2)
        assert await found(token("ana")) == (OPEN, set(CHANNELS[:OPEN]))
        assert await found(token("ben")) == (len(CHANNELS), set(CHANNELS))
        assert await found(everything) == (len(CHANNELS), set(CHANNELS))
        status, answer = await ask(pipeline, "/v1/search", token("ana"), params={"channel": "closed-7~70"})
        assert (status, answer["total"]) == (200, 0)
        # As an index that was made before has them: without the field that names a lane's channel.
        async with elastic_client(settings) as client:
            for name in ("closed-7~6", "open~4"):
                old = indexable(Kind.CHAT, chat(name, next(OFFSETS), "hello there"), Folding())
                document: dict[str, Any] = msgspec.to_builtins(old.document)
                del document["base"]
                answered = await client.search(index=f"{pipeline.name}-chat", size=1)
                index = answered["hits"]["hits"][0]["_index"]
                await client.index(index=index, id=old.id, document=document, refresh=True)
        assert await found(token("ana")) == (OPEN, set(CHANNELS[:OPEN]))
        assert (await found(everything))[1] >= {"closed-7~6", "open~4"}
    finally:
        pipeline.close()
