"""Search: a request, and what the caller may see, to hits with highlights, a total, facets and a cursor."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec
from elasticsearch import ApiError, AsyncElasticsearch, TransportError
from msgspec.structs import replace

from control.channels.channel import default_record
from history.retractions import TakenBack
from history.sources import names
from history.sources.elasticsearch_client import is_away, search_whole, unreachable
from kernel.clock import Clock, to_rfc3339
from kernel.log.positions import Kind
from kernel.settings.reading import Settings
from search_indexer.counting.counts import LEAST_WIDTH, Counts, bars_wanted, standing_out, width_of
from search_indexer.counting.facets import Bar, Facets, Previous, Sums, bars_of, words_of
from search_indexer.indexing.documents import shown_as
from search_indexer.indexing.mappings import made_with
from search_indexer.query.parser import parse
from search_indexer.query.syntax import Query
from search_indexer.searching import rank_fusion, stretches
from search_indexer.searching.cursors import Cursors, fingerprint
from search_indexer.searching.gone import Gone
from search_indexer.searching.request import Page, Search, read_search
from search_indexer.searching.request_body import background, request_body
from search_indexer.searching.scope import ALL, EVERYTHING, Seen
from search_indexer.searching.showing import Hit, shown
from search_indexer.searching.split_queries import Hits, Part, merged, parts_of, total_of
from search_indexer.text.by_channel import ChannelFoldings, RecordOf
from search_indexer.text.embeddings import meanings_of

#: How often a page is asked for anew without what was taken back.
_TRIES: Final = 3
#: Hits that are asked for first.
_FIRST_HITS: Final = 20


class Found(msgspec.Struct, omit_defaults=True):
    """The answer, as HTTP shows it."""

    total: int
    hits: list[Hit]
    next: str | None
    took_ms: int
    facets: Facets | None = None
    #: Where nothing was found: a query that is nearly this one, and finds something.
    did_you_mean: str | None = None


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
    #: What its words were made with (null: by a version before this was noted), and what would be now: where
    #: they differ, `touchline index --rebuild` makes it anew.
    made_with: dict[str, Any] | None
    as_set: dict[str, Any]


class Row(NamedTuple):
    """A hit as it is exported: the event's JSON object, and its place in the order."""

    event: bytes
    sort: list[Any]


class Rows(NamedTuple):
    """Hits of an export; `next` goes on behind them, None: there are no more. `cursor` makes one's own."""

    rows: list[Row]
    next: str | None
    #: In how long a stretch of time to look for what follows.
    stretch_ms: int
    cursor: Callable[[list[Any]], str]


class Asked(NamedTuple):
    """A search on its way: what Elasticsearch is asked, a part of what the caller may see at a time."""

    search: Search
    page: Page
    query: Query
    now_ms: int
    bodies: list[dict[str, Any]]
    gone: Gone
    patterns: Sequence[str]
    seen: Seen
    parts: Sequence[Part]

    @property
    def kinds(self) -> tuple[Kind, ...]:
        return self.search.kinds or tuple(Kind)


class Searcher:
    """Answers searches from the live generation."""

    def __init__(
        self,
        client: AsyncElasticsearch,
        settings: Settings,
        clock: Clock,
        record_of: RecordOf = default_record,
    ) -> None:
        """`record_of` a channel, which may say in which language its texts are."""
        self._client, self._settings, self._clock = client, settings, clock
        self._foldings = ChannelFoldings(settings.elasticsearch.language, record_of)
        self._meanings = meanings_of(settings)
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
        if search.sort == "meaning":
            rank_fusion.check(search.q, made=self._meanings is not None)
        asked = self._asked(search, page, list(patterns), seen, taken_back)
        try:
            answers, (found, full) = await (
                self._by_meaning(asked) if search.sort == "meaning" else self._found(asked)
            )
            last = found[-1] if found else None
            found = asked.gone.without(found)
            facets = None if page.counts is None else await self._counted(asked, page.counts, answers)
        except (ApiError, TransportError) as error:
            raise self._unreachable(error) from error
        more = full and last is not None
        return Found(
            total=total_of(answers),
            hits=await shown(asked.query, found, self._foldings),
            next=self._cursors.make(search, last["sort"], asked.now_ms) if more and last else None,
            took_ms=round((self._clock.monotonic() - begun) * 1000),
            facets=facets,
        )

    async def rows(
        self,
        search: Search,
        page: Page,
        *,
        patterns: Iterable[str] = EVERYTHING,
        seen: Seen = ALL,
        taken_back: TakenBack | None = None,
        stretch_ms: int = 0,
    ) -> Rows:
        """A page of hits as they are exported, each with its cursor; `stretch_ms` is what the page before
        says. Raises as `search`."""
        asked = self._asked(search, page, list(patterns), seen, taken_back)
        for body in asked.bodies:
            body |= {"track_total_hits": False, "source_includes": ["body", "stream", "edited"]}
            del body["source_excludes"]
        try:
            found, full, stretch_ms = await self._stretch(asked, stretch_ms)
        except (ApiError, TransportError) as error:
            raise self._unreachable(error) from error
        mark = fingerprint(search)
        rows = [
            Row(shown_as(hit["_source"]["body"], hit["_source"].get("edited")), hit["sort"])
            for hit in asked.gone.without(found)
        ]
        after = self._cursors.behind(mark, found[-1]["sort"], asked.now_ms) if full else None
        return Rows(rows, after, stretch_ms, lambda sort: self._cursors.behind(mark, sort, asked.now_ms))

    async def _stretch(self, asked: Asked, stretch_ms: int) -> tuple[list[dict[str, Any]], bool, int]:
        """A page of an export, whether more may follow, and how long the next stretch is."""
        after = asked.bodies[0].get("search_after") if asked.search.sort == "oldest" else None
        begin = None if after is None else int(after[0])
        until = min(asked.now_ms, asked.now_ms if asked.search.until is None else asked.search.until)
        while True:
            end, some = stretches.end_of(begin, stretch_ms, until), asked
            if begin is not None and end is not None:
                some = asked._replace(bodies=[stretches.within(body, begin, end) for body in asked.bodies])
            _, (found, full) = await self._found(some, first=asked.page.limit)
            if found or end is None:
                break
            stretch_ms *= stretches.LONGER
        more = bool(found) and (full or end is not None)
        return found, more, stretches.next_ms(found, stretch_ms, full=full) if found else 0

    def _asked(
        self,
        search: Search,
        page: Page,
        patterns: Sequence[str],
        seen: Seen,
        taken_back: TakenBack | None,
    ) -> Asked:
        now_ms = search.now or self._clock.now_ms()
        query = parse(search.q, self._foldings.any, search.reading(now_ms))
        gone, parts = Gone(taken_back), parts_of(seen)
        bodies = [
            request_body(search, query, page, patterns, part.seen, channels=part.channels) for part in parts
        ]
        for body in bodies:
            body["query"]["bool"]["must_not"] += gone.erased()
            if search.sort == "meaning":
                # Later pages are of the same list: what came since would move its ranks.
                body["query"]["bool"]["filter"].append({"range": {"at": {"lte": now_ms}}})
            elif page.cursor:
                body["search_after"] = self._cursors.read(page.cursor, search, len(body["sort"]))
        return Asked(search, page, query, now_ms, bodies, gone, patterns, seen, parts)

    async def _found(self, asked: Asked, first: int = _FIRST_HITS) -> tuple[list[dict[str, Any]], Hits]:
        """The answers and a page of hits, without those that the index does not know to be taken back: they
        count in no total either."""
        answers, hits = await self._page(asked, first)
        for _ in range(_TRIES):
            if not (ids := asked.gone.among(hits.hits)):
                break
            for body in asked.bodies:
                body["query"]["bool"]["must_not"].append({"ids": {"values": ids}})
            answers, hits = await self._page(asked, first)
        return answers, hits

    async def _by_meaning(self, asked: Asked) -> tuple[list[dict[str, Any]], Hits]:
        """The answers by words, and a page of what words and meaning find, put together."""
        cursor = asked.page.cursor
        begun = int(self._cursors.read(cursor, asked.search, 1)[0]) if cursor else 0
        vector = await asyncio.to_thread(self._vector, rank_fusion.words_of(asked.search.q))
        words = asked._replace(page=replace(asked.page, limit=rank_fusion.WINDOW, cursor=None))
        answers, by_words = await self._found(words, first=rank_fusion.WINDOW)
        near = []
        if vector is not None:
            # As `_found` left them: without what is taken back.
            bodies = [rank_fusion.near(body, vector) for body in asked.bodies]
            found = await asyncio.gather(*(self._ask(asked.kinds, body) for body in bodies))
            near = sorted(
                asked.gone.without([hit for answer in found for hit in answer["hits"]["hits"]]),
                key=lambda hit: -hit["_score"],
            )
        hits = rank_fusion.fused(by_words.hits, near[: rank_fusion.WINDOW])
        end = begun + asked.page.limit
        some = [{**hit, "sort": [begun + at]} for at, hit in enumerate(hits[begun:end], 1)]
        return answers, Hits(some, more=end < len(hits))

    def _vector(self, text: str) -> list[int] | None:
        return None if self._meanings is None else self._meanings.of(text)

    def _unreachable(self, error: Exception) -> Exception:
        return unreachable(self._settings, error) if is_away(error) else error

    async def _page(self, asked: Asked, first: int) -> tuple[list[dict[str, Any]], Hits]:
        """The answers, and a page of all of them."""
        kinds, limit = asked.kinds, asked.page.limit
        size = {"size": min(limit, first)}
        answers = await asyncio.gather(*(self._ask(kinds, {**body, **size}) for body in asked.bodies))
        pages = [
            Hits(*await self._hits(answer, kinds, body, limit, min(limit, first)))
            for answer, body in zip(answers, asked.bodies, strict=True)
        ]
        return answers, merged(pages, asked.search.sort, limit)

    async def _ask(self, kinds: Iterable[Kind], body: dict[str, Any]) -> dict[str, Any]:
        return await search_whole(
            self._client,
            index=",".join(names.alias(self._prefix, kind) for kind in kinds),
            ignore_unavailable=True,
            allow_no_indices=True,
            **body,
        )

    async def _hits(
        self, answer: dict[str, Any], kinds: Iterable[Kind], body: dict[str, Any], limit: int, asked: int
    ) -> tuple[list[dict[str, Any]], bool]:
        """The hits of a page, and whether more may follow. How large an event is shows when it is there: so a
        long page is asked for in parts, and ends at a size."""
        found: list[dict[str, Any]] = []
        part, size = answer["hits"]["hits"], 0
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
        said = found.get(names.LIVE, {})
        live = said.get("generation")
        marks = [
            Mark(about["kind"], about["partition"], about["offset"], about["seq"], to_rfc3339(about["at"]))
            for about in found.values()
            if "offset" in about and about["generation"] == live
        ]
        ordered = sorted(marks, key=lambda mark: (mark.kind, mark.partition))
        return Watermarks(live, ordered, said.get("made_with"), made_with(self._settings))

    async def _counted(
        self, asked: Asked, counts: Counts, answers: Sequence[Mapping[str, Any]], width: int = 0
    ) -> Facets:
        """What was counted with a page, and what is asked for besides: bars, words that stand out, the time
        before."""
        sums = Sums(counts, answers)
        bars: list[Bar] = []
        if sums.span is not None:
            width = width or width_of(counts, *sums.span)
            wanted = bars_wanted(width, counts, sums.divides, asked.search.zone)
            histograms = await asyncio.gather(
                *(self._aggregated(asked, body, wanted) for body in asked.bodies)
            )
            bars = bars_of(histograms, width, sums.divides)
        facets = sums.shown(bars, width or LEAST_WIDTH)
        if counts.standout:
            part = asked.parts[0]
            others = background(
                *(asked.search, asked.patterns, part.seen, part.channels), left_out=asked.gone.erased()
            )
            answer = await self._aggregated(asked, asked.bodies[0], standing_out(others))
            facets.standout = words_of(answer)
        if counts.compare and asked.search.since is not None:
            facets.previous = await self._before(asked, counts, asked.search.since, facets.bar_ms)
        return facets

    async def _before(self, asked: Asked, counts: Counts, since: int, width: int) -> Previous:
        """The same of the time before, as long as the one that is looked at."""
        until = asked.now_ms if asked.search.until is None else asked.search.until
        search = replace(asked.search, since=since - (until - since) - 1, until=since - 1)
        earlier = self._asked(
            *(search, Page(counts=replace(counts, compare=False)), asked.patterns, asked.seen),
            asked.gone.taken_back,
        )
        answers = [await self._ask(earlier.kinds, {**body, "size": 0}) for body in earlier.bodies]
        facets = await self._counted(earlier, replace(counts, compare=False), answers, width)
        return Previous(to_rfc3339(search.since or 0), to_rfc3339(since - 1), total_of(answers), facets)

    async def _aggregated(
        self, asked: Asked, body: Mapping[str, Any], wanted: Mapping[str, Any]
    ) -> dict[str, Any]:
        query = {"query": body["query"], "size": 0, "track_total_hits": False, "aggregations": wanted}
        return await self._ask(asked.kinds, query)
