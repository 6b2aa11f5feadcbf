"""Search: a request, and what the caller may see, to hits with highlights, a total, facets and a cursor."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
from elasticsearch import ApiError, AsyncElasticsearch, TransportError

from history import names
from history.elastic import is_away, search_whole, unreachable
from history.taken_back import TakenBack
from kernel.clock import Clock, to_rfc3339
from kernel.log.positions import Kind
from kernel.settings.reading import Settings
from search_indexer.indexing.documents import Document, broadcast_text, shown
from search_indexer.query import elastic
from search_indexer.query.highlight import highlight, share_of
from search_indexer.query.parser import parse
from search_indexer.query.syntax import Query
from search_indexer.searching.cursors import Cursors
from search_indexer.searching.gone import Gone
from search_indexer.searching.parts import Hits, bars_of, counted, merged, parts_of, total_of
from search_indexer.searching.request import Page, Search, read_search
from search_indexer.searching.scope import ALL, EVERYTHING, Seen, beyond, visible
from search_indexer.text.folding import Folding

#: Newest or oldest first; `seq` and `place` make the order total, so that pages never overlap.
_NEWEST: Final = [{"at": "desc"}, {"seq": "desc"}, {"place": "desc"}]
_SORTS: Final[dict[str, list[dict[str, str]]]] = {
    "relevance": [{"_score": "desc"}, *_NEWEST],
    "newest": _NEWEST,
    "oldest": [{"at": "asc"}, {"seq": "asc"}, {"place": "asc"}],
}
#: How often a page is asked for anew without what was taken back.
_TRIES: Final = 3
#: Hits that are asked for first.
_FIRST_HITS: Final = 20
_MINUTE_MS: Final = 60_000
_BUCKETS: Final = 120
_WIDTHS: Final = (1000, 5000, 15_000, *(_MINUTE_MS * n for n in (1, 5, 15, 60, 360, 1440)))


class Hit(msgspec.Struct):
    event: msgspec.Raw
    score: float | None
    highlight: str


class Bucket(msgspec.Struct):
    value: str
    count: int


class Bar(msgspec.Struct):
    start: str
    count: int


class Facets(msgspec.Struct):
    kind: list[Bucket]
    channel: list[Bucket]
    sender: list[Bucket]
    #: Over the whole span of the hits, a bar a second, or as much wider as keeps it at 120 bars.
    histogram: list[Bar]
    bar_ms: int


class Found(msgspec.Struct, omit_defaults=True):
    """The answer, as HTTP shows it."""

    total: int
    hits: list[Hit]
    next: str | None
    took_ms: int
    facets: Facets | None = None


class Mark(msgspec.Struct):
    kind: str
    partition: int
    offset: int
    seq: int
    #: When the index was found to be complete so far.
    at: str


class Watermarks(msgspec.Struct):
    """Where the index is complete, as HTTP shows it."""

    generation: int | None
    watermarks: list[Mark]


class Searcher:
    """Answers searches from the live generation."""

    def __init__(self, client: AsyncElasticsearch, settings: Settings, clock: Clock) -> None:
        self._client, self._settings, self._clock = client, settings, clock
        self._folding = Folding(settings.elasticsearch.language)
        self._cursors = Cursors(settings)
        self._prefix = settings.elasticsearch.index_prefix

    def read(self, given: Iterable[tuple[str, str]]) -> tuple[Search, Page]:
        """A search of parameters as people give them, as of when its first page was asked for.

        Raises `bad_request`."""
        parameters = list(given)
        cursor = dict(parameters).get("cursor")
        return read_search(parameters, self._cursors.now_of(cursor) if cursor else self._clock.now_ms())

    async def search(
        self,
        search: Search,
        page: Page,
        *,
        patterns: Iterable[str] = EVERYTHING,
        seen: Seen = ALL,
        taken_back: TakenBack | None = None,
    ) -> Found:
        """Find events in the streams that `patterns` cover, and of channels that are `seen`; without those
        that were taken back, however far the index is.

        Raises `bad_request` or `unavailable`.
        """
        begun = self._clock.monotonic()
        now_ms = search.now or self._clock.now_ms()
        query = parse(search.q, self._folding, search.reading(now_ms))
        gone, patterns = Gone(taken_back), list(patterns)
        bodies = [
            request_body(search, query, page, patterns, part.seen, channels=part.channels)
            for part in parts_of(seen)
        ]
        for body in bodies:
            body["query"]["bool"]["must_not"] += gone.erased()
            if page.cursor:
                body["search_after"] = self._cursors.read(page.cursor, search, len(body["sort"]))
        kinds = search.kinds or tuple(Kind)
        try:
            answers, (found, full) = await self._page(bodies, kinds, search.sort, page.limit)
            for _ in range(_TRIES):  # what the index does not know of yet counts in no total either
                if not (ids := gone.among(found)):
                    break
                for body in bodies:
                    body["query"]["bool"]["must_not"].append({"ids": {"values": ids}})
                answers, (found, full) = await self._page(bodies, kinds, search.sort, page.limit)
            last = found[-1] if found else None
            found = gone.without(found)
            queries = [body["query"] for body in bodies]
            facets = await self._facets(answers, queries, kinds) if page.facets else None
        except (ApiError, TransportError) as error:
            if not is_away(error):
                raise
            raise unreachable(self._settings, error) from error
        return Found(
            total=total_of(answers),
            hits=await asyncio.to_thread(self._shown, query, found),
            next=self._cursors.make(search, last["sort"], now_ms) if full and last is not None else None,
            took_ms=round((self._clock.monotonic() - begun) * 1000),
            facets=facets,
        )

    async def _page(
        self, bodies: Sequence[dict[str, Any]], kinds: Iterable[Kind], sort: str, limit: int
    ) -> tuple[list[dict[str, Any]], Hits]:
        """The answers, and a page of all of them."""
        first = {"size": min(limit, _FIRST_HITS)}
        answers = await asyncio.gather(*(self._ask(kinds, {**body, **first}) for body in bodies))
        pages = [
            Hits(*await self._hits(answer, kinds, body, limit))
            for answer, body in zip(answers, bodies, strict=True)
        ]
        return answers, merged(pages, sort, limit)

    async def _ask(self, kinds: Iterable[Kind], body: dict[str, Any]) -> dict[str, Any]:
        return await search_whole(
            self._client,
            index=",".join(names.alias(self._prefix, kind) for kind in kinds),
            ignore_unavailable=True,
            allow_no_indices=True,
            **body,
        )

    async def _hits(
        self, answer: dict[str, Any], kinds: Iterable[Kind], body: dict[str, Any], limit: int
    ) -> tuple[list[dict[str, Any]], bool]:
        """The hits of a page, and whether more may follow. How large an event is shows when it is there: so a
        long page is asked for in parts, and ends at a size."""
        found: list[dict[str, Any]] = []
        part, asked, size = answer["hits"]["hits"], min(limit, _FIRST_HITS), 0
        while True:
            for hit in part:
                size += len(hit["_source"]["body"])
                if found and size > self._settings.limits.page_bytes:
                    return found, True
                found.append(hit)
            if len(found) == limit or len(part) < asked:
                return found, len(found) == limit
            fit = (self._settings.limits.page_bytes - size) * len(found) // max(1, size) + 1
            asked = max(1, min(limit - len(found), fit))
            rest = {name: value for name, value in body.items() if name != "aggregations"}
            rest |= {"size": asked, "search_after": found[-1]["sort"], "track_total_hits": False}
            part = (await self._ask(kinds, rest))["hits"]["hits"]

    async def watermarks(self) -> Watermarks:
        """How far the live generation is complete, per partition."""
        try:
            answer = await self._client.search(
                index=names.state_index(self._prefix), size=10_000, ignore_unavailable=True
            )
        except (ApiError, TransportError) as error:
            if not is_away(error):
                raise
            raise unreachable(self._settings, error) from error
        found = {hit["_id"]: hit["_source"] for hit in answer["hits"]["hits"]}
        live = found.get(names.LIVE, {}).get("generation")
        marks = [
            Mark(about["kind"], about["partition"], about["offset"], about["seq"], to_rfc3339(about["at"]))
            for about in found.values()
            if "offset" in about and about["generation"] == live
        ]
        return Watermarks(live, sorted(marks, key=lambda mark: (mark.kind, mark.partition)))

    def _shown(self, query: Query, hits: list[dict[str, Any]]) -> list[Hit]:
        """In a thread: what it takes grows with the texts that were found."""
        share = share_of(len(hits))
        made = []
        for hit in hits:
            document = msgspec.convert(hit["_source"], Document)
            marked = highlight(query, _text(document), self._folding, share)
            made.append(Hit(msgspec.Raw(shown(document)), hit.get("_score"), marked))
        return made

    async def _facets(
        self,
        answers: Sequence[dict[str, Any]],
        queries: Sequence[dict[str, Any]],
        kinds: tuple[Kind, ...],
    ) -> Facets:
        sums = counted(answers)
        first, last = sums.get("first", {}).get("value"), sums.get("last", {}).get("value")
        bars: list[Bar] = []
        width = _WIDTHS[0]
        if first is not None and last is not None:
            width = next((w for w in _WIDTHS if (last - first) / w < _BUCKETS), _WIDTHS[-1])
            histograms = await asyncio.gather(*(self._bars(query, kinds, width) for query in queries))
            bars = [Bar(*bar) for bar in bars_of(histograms, width)]
        return Facets(
            **{
                name: [
                    Bucket(bucket["key"], bucket["doc_count"])
                    for bucket in sums.get(name, {}).get("buckets", [])
                ]
                for name in ("kind", "channel", "sender")
            },
            histogram=bars,
            bar_ms=width,
        )

    async def _bars(self, query: dict[str, Any], kinds: tuple[Kind, ...], width: int) -> dict[str, Any]:
        return await search_whole(
            self._client,
            index=",".join(names.alias(self._prefix, kind) for kind in kinds),
            ignore_unavailable=True,
            query=query,
            size=0,
            track_total_hits=False,
            aggregations={
                "bars": {
                    "date_histogram": {
                        "field": "at",
                        "fixed_interval": f"{width}ms",
                        "format": "strict_date_time",
                        "min_doc_count": 0,
                    }
                }
            },
        )


def request_body(
    search: Search,
    query: Query,
    page: Page,
    patterns: Iterable[str],
    seen: Seen = ALL,
    *,
    channels: Sequence[str] = (),
) -> dict[str, Any]:
    """What Elasticsearch is asked; `channels`: of these only."""
    asked = elastic.clauses(query)
    filters = [*_filters(search), *asked["filter"]]
    if channels:
        filters.append({"terms": {"channel": list(channels)}})
    if (covered := visible(patterns)) is not None:
        filters.append(covered)
    must_not = [*asked["must_not"], {"term": {"hidden": True}}, *beyond(seen)]
    boolean: dict[str, Any] = {"filter": filters, "must_not": must_not}
    if search.sort == "relevance":
        boolean["must"] = asked["must"]
    else:  # no scores where nobody looks at them
        filters += asked["must"]
    body: dict[str, Any] = {
        "query": {"bool": boolean},
        "sort": _SORTS[search.sort],
        "size": page.limit,
        "track_total_hits": True,
        "source_includes": ["*"],
        "source_excludes": ["words", "text", "data"],
    }
    if page.facets:
        body["aggregations"] = {
            "kind": {"terms": {"field": "kind"}},
            "channel": {"terms": {"field": "channel", "size": 10}},
            "sender": {"terms": {"field": "sender", "size": 10}},
            "first": {"min": {"field": "at"}},
            "last": {"max": {"field": "at"}},
        }
    return body


def _filters(search: Search) -> list[dict[str, Any]]:
    filters: list[dict[str, Any]] = []
    for field, values in (
        ("channel", search.channels),
        ("sender", search.senders),
        ("type", search.types),
    ):
        if values:
            filters.append({"terms": {field: list(values)}})
    if search.since is not None or search.until is not None:
        bounds = {"gte": search.since, "lte": search.until}
        filters.append({"range": {"at": {name: at for name, at in bounds.items() if at is not None}}})
    if search.near is not None:
        filters.append(elastic.fact(search.near))
    return filters


def _text(document: Document) -> str:
    """The text that was searched, as its author wrote it."""
    if document.edited is not None:
        return document.edited
    event = msgspec.json.decode(document.body)
    if document.kind == Kind.CHAT:
        return str(event["data"].get("text", ""))
    return broadcast_text(event["type"], event["data"]) if document.kind == Kind.BROADCAST else ""
