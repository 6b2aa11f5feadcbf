"""The indexed part of a stream's past: pages of events by `seq`, and how far the index is complete."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from elasticsearch import AsyncElasticsearch, NotFoundError

from history.pages import Bound, Entry, Span, Watermark
from history.replies import FIELD, Asked, counting
from history.sources import names
from history.sources.elasticsearch_client import documents_of, search_whole
from kernel.clock import Clock
from kernel.fairness.fair import FairSemaphore
from kernel.log.positions import Kind, Stream

#: For how long a watermark is used before it is asked for again. An old one is as right as a new one: the
#: log from there is only longer.
_WATERMARK_S: Final = 0.25
_LIVE_S: Final = 1.0
#: How often a page is read anew because another generation went live meanwhile.
_TRIES: Final = 3

#: How far away an event of a page may lie, for each of its events, to be found at the first try: in a stream
#: that is not too quiet a page then costs the same, however long the stream is.
_NEAR: Final = 128

#: How large an event is shows when it is there: of a stream of which nothing is known so many are asked for
#: first, of others so many, and at most so many more for each that was small.
_UNKNOWN: Final = 8
_FIRST: Final = 51
_GROWTH: Final = 4
#: Answers that will be larger than this are read so many at once: Elasticsearch holds all of them.
_LIGHT_BYTES: Final = 128 * 1024
_READS: Final = 4
#: Streams of which it is remembered how large their events are.
_MOST_STREAMS: Final = 10_000

T = TypeVar("T")

#: Reads from the index: generation and watermark -> what it has up to there.
Read = Callable[[int, Watermark], Awaitable[list[Entry]]]


def _next_limit(found: list[Entry], bound: Bound, likely: int | None) -> int:
    """How many events to ask for next; 0: there are more than the bound holds. `likely`: their size."""
    size = sum(len(entry.body) for entry in found)
    if bound.exceeded(len(found), size):
        return 0
    missing = bound.events + 1 - len(found)
    if not found:
        return min(missing, _UNKNOWN if likely is None else max(1, min(_FIRST, bound.bytes // likely + 1)))
    fit = (bound.bytes - size) * len(found) // max(1, size) + 1
    return max(1, min(missing, fit, _GROWTH * len(found)))


class _Sizes:
    """How large the events of streams were that were read lately."""

    def __init__(self) -> None:
        self._likely: OrderedDict[str, int] = OrderedDict()

    def of(self, stream: str) -> int | None:
        return self._likely.get(stream)

    def learn(self, stream: str, entries: Sequence[Entry]) -> None:
        """Large ones count for long: one page of small ones makes nobody sure."""
        if not entries:
            return
        mean = sum(len(entry.body) for entry in entries) // len(entries)
        self._likely[stream] = max(1, mean, self._likely.get(stream, 0) // 2)
        self._likely.move_to_end(stream)
        if len(self._likely) > _MOST_STREAMS:
            self._likely.popitem(last=False)


class StreamIndex:
    """Reads the live generation."""

    def __init__(self, client: AsyncElasticsearch, prefix: str, clock: Clock) -> None:
        self._client, self._prefix, self._clock = client, prefix, clock
        self._live: tuple[float, int] = (float("-inf"), 0)
        self._watermarks: dict[str, tuple[float, Watermark]] = {}
        self._reading, self._sizes = FairSemaphore(_READS), _Sizes()

    async def complete(
        self, kind: Kind, partition: int, topic_id: str, read: Read
    ) -> tuple[list[Entry], Watermark]:
        """What `read` finds, and the watermark up to which that is complete.

        The index may be emptied, or replaced, between the watermark and the read: so it counts only if it
        still stands behind the read. Where it does not, nothing is indexed.
        """
        for _ in range(_TRIES):
            generation = await self.generation()
            if not generation:
                break
            watermark = await self.watermark(generation, kind, partition, topic_id)
            entries = await read(generation, watermark)
            key = names.watermark_id(generation, kind, partition, topic_id)
            if not watermark.seq or await self._stands(generation, key):
                return entries, watermark
            self._live = (float("-inf"), 0)
            self._watermarks.clear()
        return [], Watermark()

    async def complete_all(
        self,
        kind: Kind,
        partitions: Sequence[int],
        topic_id: str,
        read: Callable[[int, Mapping[int, Watermark]], Awaitable[T]],
    ) -> T | None:
        """What `read` finds of several partitions, by their watermarks; None where nothing is indexed."""
        for _ in range(_TRIES):
            generation = await self.generation()
            if not generation:
                break
            marks = await self._watermarks_of(generation, kind, partitions, topic_id)
            found = await read(generation, marks)
            keys = [names.watermark_id(generation, kind, n, topic_id) for n in partitions if marks[n].seq]
            if await self._stand(generation, keys):
                return found
            self._live = (float("-inf"), 0)
            self._watermarks.clear()
        return None

    async def _watermarks_of(
        self, generation: int, kind: Kind, partitions: Sequence[int], topic_id: str
    ) -> dict[int, Watermark]:
        """How far that generation is complete in each of these, asked for at once where it is not known."""
        now = self._clock.monotonic()
        keys = {names.watermark_id(generation, kind, n, topic_id): n for n in partitions}
        old = [
            key
            for key in keys
            if now - self._watermarks.get(key, (float("-inf"), Watermark()))[0] > _WATERMARK_S
        ]
        if old:
            answer = await self._client.mget(index=names.state_index(self._prefix), ids=old)
            found = {document["_id"]: document["_source"] for document in documents_of(answer)}
            for key in old:
                one = found.get(key)
                self._watermarks[key] = (now, Watermark(one["offset"], one["seq"]) if one else Watermark())
        return {number: self._watermarks[key][1] for key, number in keys.items()}

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

    async def after(self, generation: int, span: Span, after: int, upto: int, bound: Bound) -> list[Entry]:
        """The first events with after < seq <= upto, in order: all, or more than the bound holds."""
        found: list[Entry] = []
        likely = self._sizes.of(str(span.stream))
        while (limit := _next_limit(found, bound, likely)) and after < upto:
            part = await self._after(generation, span, after, upto, limit)
            found += part
            if len(part) < limit:
                break
            after = part[-1].seq
        return found

    async def before(self, generation: int, span: Span, upto: int, bound: Bound) -> list[Entry]:
        """The last events with seq <= upto, in order: all, or more than the bound holds."""
        found: list[Entry] = []  # the last one first
        likely = self._sizes.of(str(span.stream))
        while limit := _next_limit(found, bound, likely):
            part = await self._before(generation, span, upto, limit)
            found += part
            if len(part) < limit:
                break
            upto = part[-1].seq - 1
        return found[::-1]

    async def _after(self, generation: int, span: Span, after: int, upto: int, limit: int) -> list[Entry]:
        near = after + _NEAR * limit
        if near < upto:
            page = await self._page(generation, span, {"gt": after, "lte": near}, limit, "asc")
            if len(page) == limit:
                return page
        return await self._page(generation, span, {"gt": after, "lte": upto}, limit, "asc")

    async def _before(self, generation: int, span: Span, upto: int, limit: int) -> list[Entry]:
        page = await self._page(generation, span, {"gt": upto - _NEAR * limit, "lte": upto}, limit, "desc")
        if len(page) < limit:
            page = await self._page(generation, span, {"lte": upto}, limit, "desc")
        return page

    async def find(self, streams: Sequence[Stream], event_id: str, day: str) -> bytes | None:
        """The event of that id, in that day's index; read by id, so it need not be findable yet."""
        generation = await self.generation()
        if not generation:
            return None
        try:
            answer = await self._client.get(
                index=names.index_name(self._prefix, streams[0].kind, generation, day),
                id=event_id,
                source_includes=["stream", "body"],
            )
        except NotFoundError:
            return None
        found: dict[str, str] = answer["_source"]
        return found["body"].encode() if found["stream"] in map(str, streams) else None

    async def _page(
        self, generation: int, span: Span, seqs: dict[str, int], limit: int, order: str
    ) -> list[Entry]:
        stream, since, replies_to = span
        filters: list[dict[str, Any]] = [{"term": {"stream": str(stream)}}, {"range": {"seq": seqs}}]
        if replies_to:
            filters.append({"term": {"reply_to": replies_to}})
        if since:
            filters.append({"range": {"at": {"gte": since}}})
        light = limit * (self._sizes.of(str(stream)) or 0) <= _LIGHT_BYTES
        whose = None if light else await self._reading.take()
        try:
            answer = await search_whole(
                self._client,
                index=f"{names.generation_prefix(self._prefix, stream.kind, generation)}*",
                query={"bool": {"filter": filters}},
                sort=[{"seq": order}],
                size=limit,
                source_includes=["body"],
                track_total_hits=False,
                filter_path="hits.hits.sort,hits.hits._source.body",
            )
        finally:
            if whose is not None:
                self._reading.give_back(whose)
        hits: list[dict[str, Any]] = answer.get("hits", {}).get("hits", [])
        entries = [Entry(hit["sort"][0], hit["_source"]["body"].encode()) for hit in hits]
        self._sizes.learn(str(stream), entries)
        return entries

    async def feed(
        self,
        generation: int,
        channels: Mapping[Any, Sequence[str]],
        *,
        first_ms: int,
        last_ms: int | None,
        forward: bool,
        limit: int,
        at: list[Any] | None,
    ) -> tuple[list[tuple[int, bytes]], list[Any] | None, bool]:
        """Broadcasts of many streams in the order of their ids, from a place `at` on: what was found, the
        place to go on from, and whether that is all. `channels`: what is wanted (types, since) -> streams."""
        if not channels:
            return [], at, True
        ways = [
            {
                "bool": {
                    "filter": [
                        {"terms": {"stream": list(streams)}},
                        {"terms": {"type": sorted(what.types)}},
                        *([{"range": {"at": {"gte": what.since}}}] if what.since else []),
                    ]
                }
            }
            for what, streams in channels.items()
        ]
        times = {"gte": first_ms, **({} if last_ms is None else {"lte": last_ms})}
        order = "asc" if forward else "desc"
        whose = await self._reading.take()
        try:
            answer = await search_whole(
                self._client,
                index=f"{names.generation_prefix(self._prefix, Kind.BROADCAST, generation)}*",
                query={
                    "bool": {
                        "filter": [{"range": {"at": times}}],
                        "should": ways,
                        "minimum_should_match": 1,
                    }
                },
                # As ids are made: time, partition, place in it.
                sort=[{"at": order}, {"place": order}, {"seq": order}],
                size=limit,
                source_includes=["body"],
                track_total_hits=False,
                filter_path="hits.hits._id,hits.hits.sort,hits.hits._source.body",
                **({} if at is None else {"search_after": at}),
            )
        finally:
            self._reading.give_back(whose)
        hits: list[dict[str, Any]] = answer.get("hits", {}).get("hits", [])
        found = [(int(hit["_id"]), hit["_source"]["body"].encode()) for hit in hits]
        return found, hits[-1]["sort"] if hits else at, len(hits) < limit

    async def replies(self, asked: Sequence[Asked]) -> dict[str, int]:
        """How many replies each of these events has, of those that have some."""
        generation = await self.generation()
        if not generation or not any(one.ids for one in asked):
            return {}
        answer = await search_whole(
            self._client,
            index=f"{names.generation_prefix(self._prefix, Kind.CHAT, generation)}*",
            filter_path=f"aggregations.{FIELD}.buckets",
            **counting(asked),
        )
        buckets = answer.get("aggregations", {}).get(FIELD, {}).get("buckets", [])
        return {bucket["key"]: bucket["doc_count"] for bucket in buckets}

    async def _stands(self, generation: int, key: str) -> bool:
        """Whether this generation is still the live one, and its watermark is there."""
        return await self._stand(generation, [key])

    async def _stand(self, generation: int, keys: Sequence[str]) -> bool:
        """The same of several."""
        answer = await self._client.mget(index=names.state_index(self._prefix), ids=[names.LIVE, *keys])
        found = {document["_id"]: document["_source"] for document in documents_of(answer)}
        live = found.get(names.LIVE, {}).get("generation") == generation
        return live and all(key in found for key in keys)

    async def _state(self, key: str) -> dict[str, Any] | None:
        try:
            answer = await self._client.get(index=names.state_index(self._prefix), id=key)
        except NotFoundError:
            return None
        found: dict[str, Any] = answer["_source"]
        return found
