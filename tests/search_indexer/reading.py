"""What is in the index, read past search: every document of a stream."""

import asyncio
from typing import Any

from elasticsearch import ApiError, AsyncElasticsearch, TransportError

from history import names
from kernel.positions import Kind
from kernel.settings import Settings


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
        assert not any(hit["_id"] in found for hit in hits)
        found |= {hit["_id"]: hit["_source"] for hit in hits}
        after = hits[-1]["sort"]


async def complete(settings: Settings, client: AsyncElasticsearch, stream: str, count: int) -> None:
    """Wait until so many documents of a stream are found."""
    async with asyncio.timeout(120):
        while True:
            try:
                answer = await client.count(
                    index=names.alias(settings.elasticsearch.index_prefix, Kind.CHAT),
                    query={"term": {"stream": stream}},
                )
                if answer["count"] >= count:
                    return
            except (ApiError, TransportError):
                pass
            await asyncio.sleep(0.2)
