"""The indexed part of a stream's past: pages of events by `seq`, and how far the index is complete."""

from typing import Any, Final

from elasticsearch import AsyncElasticsearch, NotFoundError

from history import names
from history.elastic import search_whole
from history.pages import Entry, Watermark
from kernel.clock import Clock
from kernel.positions import Kind, Stream

#: For how long a watermark is used before it is asked for again. An old one is as right as a new one: the
#: log from there is only longer.
_WATERMARK_S: Final = 0.25
_LIVE_S: Final = 1.0


class StreamIndex:
    """Reads the live generation."""

    def __init__(self, client: AsyncElasticsearch, prefix: str, clock: Clock) -> None:
        self._client, self._prefix, self._clock = client, prefix, clock
        self._live: tuple[float, int] = (float("-inf"), 0)
        self._watermarks: dict[str, tuple[float, Watermark]] = {}

    async def generation(self) -> int:
        """The generation that is searched; 0 where nothing was ever indexed."""
        read_at, generation = self._live
        now = self._clock.monotonic()
        if now - read_at > _LIVE_S:
            found = await self._state(names.LIVE)
            generation = found["generation"] if found else 0
            self._live = (now, generation)
        return generation

    async def watermark(self, generation: int, kind: Kind, partition: int, topic_id: str) -> Watermark:
        """How far that generation is complete in a partition."""
        key = names.watermark_id(generation, kind, partition, topic_id)
        read_at, watermark = self._watermarks.get(key, (float("-inf"), Watermark()))
        now = self._clock.monotonic()
        if now - read_at > _WATERMARK_S:
            found = await self._state(key)
            watermark = Watermark(found["offset"], found["seq"]) if found else Watermark()
            if len(self._watermarks) > 10_000:  # generations and topics come and go
                self._watermarks.clear()
            self._watermarks[key] = (now, watermark)
        return watermark

    async def after(self, generation: int, stream: Stream, after: int, upto: int, limit: int) -> list[Entry]:
        """The first `limit` events with after < seq <= upto, in order."""
        return await self._page(generation, stream, {"gt": after, "lte": upto}, limit, "asc")

    async def before(self, generation: int, stream: Stream, upto: int, limit: int) -> list[Entry]:
        """The last `limit` events with seq <= upto, in order."""
        return (await self._page(generation, stream, {"lte": upto}, limit, "desc"))[::-1]

    async def _page(
        self, generation: int, stream: Stream, seqs: dict[str, int], limit: int, order: str
    ) -> list[Entry]:
        answer = await search_whole(
            self._client,
            index=f"{names.generation_prefix(self._prefix, stream.kind, generation)}*",
            query={
                "bool": {"filter": [{"term": {"stream": str(stream)}}, {"range": {"seq": seqs}}]},
            },
            sort=[{"seq": order}],
            size=limit,
            source_includes=["body"],
            track_total_hits=False,
            filter_path="hits.hits.sort,hits.hits._source.body",
        )
        hits: list[dict[str, Any]] = answer.get("hits", {}).get("hits", [])
        return [Entry(hit["sort"][0], hit["_source"]["body"].encode()) for hit in hits]

    async def _state(self, key: str) -> dict[str, Any] | None:
        try:
            answer = await self._client.get(index=names.state_index(self._prefix), id=key)
        except NotFoundError:
            return None
        found: dict[str, Any] = answer["_source"]
        return found
