"""What is in the index, read past search: every document of a stream."""

import asyncio
from typing import Any

from confluent_kafka import Consumer, TopicPartition
from elasticsearch import ApiError, AsyncElasticsearch, TransportError

from history.sources import names
from kernel.log.kafka import client_config
from kernel.log.positions import Kind
from kernel.settings.reading import Settings


def records(settings: Settings, topic: str) -> list[Any]:
    """All records of a topic."""
    consumer = Consumer(
        client_config(settings, group_id="tests", enable_partition_eof=True, auto_offset_reset="earliest")
    )
    found: list[Any] = []
    try:
        partitions = list(consumer.list_topics(topic).topics[topic].partitions)
        consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
        ends = 0
        while ends < len(partitions):
            message = consumer.poll(60)
            assert message is not None
            if message.error() is None:
                found.append(message)
            else:
                ends += 1
    finally:
        consumer.close()
    return found


async def documents(client: AsyncElasticsearch, settings: Settings, stream: str) -> dict[str, dict[str, Any]]:
    """Every document of a stream, by id."""
    found: dict[str, dict[str, Any]] = {}
    after: list[Any] | None = None
    while True:
        answer = await client.search(
            index=names.alias(settings.elasticsearch.index_prefix, Kind.CHAT),
            query={"term": {"stream": stream}},
            sort=[{"seq": "asc"}],
            size=5000,
            search_after=after,
        )
        hits = answer["hits"]["hits"]
        if not hits:
            return found
        page = {hit["_id"]: hit["_source"] for hit in hits}
        # In two indices, of two days or two generations, it would be there twice.
        assert len(page) == len(hits)
        assert not page.keys() & found.keys()
        found |= page
        after = hits[-1]["sort"]


async def empty(client: AsyncElasticsearch, settings: Settings) -> None:
    """Take away all that Touchline has in Elasticsearch, at one moment, as a lost disk would."""
    present = await client.indices.get(index=f"{settings.elasticsearch.index_prefix}-*")
    await client.indices.delete(index=list(present))


async def complete(
    settings: Settings, client: AsyncElasticsearch, stream: str, count: int, *, kind: Kind = Kind.CHAT
) -> None:
    """Wait until so many documents of a stream are found."""
    async with asyncio.timeout(240):
        while True:
            try:
                answer = await client.count(
                    index=names.alias(settings.elasticsearch.index_prefix, kind),
                    query={"term": {"stream": stream}},
                )
                if answer["count"] >= count:
                    return
            except (ApiError, TransportError):
                pass
            await asyncio.sleep(0.2)
