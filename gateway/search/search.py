"""GET /v1/search: events by what they say; and GET /v1/index: how far the index is complete."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import msgspec
from aiohttp import web
from msgspec.structs import replace

from gateway.context import Context
from gateway.http.access import Scope
from gateway.http.exports import FORMAT, format_of
from gateway.http.guards import answer
from gateway.http.operations import CHANNEL_PATTERN, Operation, Parameter, Reply
from gateway.search.exporting import export_hits
from gateway.search.hits import as_of_hits, count_replies
from gateway.search.suggest import scope_of
from history.retractions import TakenBack
from history.sources.elasticsearch_client import elastic_client
from kernel.fairness.budgets import RateLimitedError
from kernel.log.positions import Kind
from search_indexer.counting.counts import FIELDS, MAX_BARS, MAX_BY, MAX_SIZE
from search_indexer.query.parser import MAX_LENGTH
from search_indexer.searching.request import MAX_LIMIT, Page, Search
from search_indexer.searching.search import Searcher
from search_indexer.searching.suggest import Suggester

_TIMEOUT_S: Final = 10.0
_MOST_LOOKS: Final = 8
_TEXT: Final = {"type": "string", "minLength": 1, "maxLength": 256}
_FLAG: Final = {"type": "string", "enum": ["0", "1"]}
_TIME: Final = {"type": "string", "examples": ["2026-06-11T19:00:00Z", "2026-06-11", "10m", "yesterday"]}


def _query(name: str, text: str, schema: Mapping[str, Any]) -> Parameter:
    return Parameter(name, "query", text, schema)


_PARAMETERS: Final = (
    _query(
        "q",
        'Words, "phrases", prefix*, -not, one OR other, and operators like from:ana after:10m has:link.'
        " Empty: all that the filters leave.",
        {"type": "string", "maxLength": MAX_LENGTH},
    ),
    _query("kind", "Only this kind; may be repeated.", {"type": "string", "enum": [str(k) for k in Kind]}),
    _query("channel", "Only this channel; may be repeated.", {"type": "string", "pattern": CHANNEL_PATTERN}),
    _query("sender", "Only from this sender; may be repeated.", _TEXT),
    _query("type", "Only of this type; may be repeated.", _TEXT),
    _query("since", "Not before this time.", _TIME),
    _query("until", "Not after this time; of a day, not after its end.", _TIME),
    _query(
        "zone",
        "Time zone of times that name none, like Europe/Paris or +02:00.",
        {"type": "string", "default": "UTC"},
    ),
    _query("near", "Around this place: latitude,longitude.", {"type": "string"}),
    _query("within", "How far around it, with m, km, mi, ft or yd.", {"type": "string", "default": "5km"}),
    _query(
        "sort",
        "By default relevance where there is a q, else newest. meaning: by words and by what they mean, where"
        " the index has that; 100 hits of each, and `total` is of words.",
        {"type": "string", "enum": ["relevance", "newest", "oldest", "meaning"]},
    ),
    _query(
        "limit",
        "Hits at most.",
        {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": 20},
    ),
    _query("cursor", "The `next` of the page before.", {"type": "string"}),
    _query("facets", "1: also count by kind, channel, sender and time.", _FLAG),
    _query(
        "facet",
        "Count by this; may be repeated. Also counted by time.",
        {"type": "string", "enum": list(FIELDS)},
    ),
    _query(
        "size",
        "Values that are counted of each, the most frequent first.",
        {"type": "integer", "minimum": 1, "maximum": MAX_SIZE, "default": 10},
    ),
    _query(
        "interval",
        f"How long each bar of the histogram is, like 1m or 1h; at most {MAX_BARS} bars.",
        {"type": "string"},
    ),
    _query(
        "by",
        f"Divide each bar by this: its {MAX_BY} most frequent values.",
        {"type": "string", "enum": list(FIELDS)},
    ),
    _query(
        "standout", "1: the words that these hits have more often than all else that you may find.", _FLAG
    ),
    _query("compare", "1: count the time before `since`, as long as the one looked at, too.", _FLAG),
    FORMAT,
)
_FOUND: Final = Reply(
    "The hits. `highlight` is HTML whose only markup is <mark>.",
    {
        "type": "object",
        "required": ["total", "hits", "next", "took_ms"],
        "properties": {
            "total": {"type": "integer"},
            "hits": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["event", "score", "highlight"],
                    "properties": {
                        "event": {"type": "object"},
                        "score": {"type": ["number", "null"]},
                        "highlight": {"type": "string"},
                    },
                },
            },
            "next": {"type": ["string", "null"]},
            "took_ms": {"type": "integer"},
            "facets": {"type": "object"},
            "did_you_mean": {
                "type": "string",
                "description": "Where nothing was found: a query that is nearly this one, and finds some.",
            },
        },
    },
)
_INDEX: Final = Reply(
    "Per partition of the events topics: everything before `offset`, up to `seq`, can be found.",
    {
        "type": "object",
        "required": ["generation", "watermarks", "made_with", "as_set"],
        "properties": {
            "made_with": {
                "type": ["object", "null"],
                "description": "What its words were made with; where `as_set` differs, build it anew.",
            },
            "as_set": {"type": "object"},
        },
    },
)


async def routes(context: Context) -> Sequence[Operation]:
    """The operations of this module."""
    client = await context.stack.enter_async_context(elastic_client(context.settings, timeout_s=_TIMEOUT_S))
    searcher = Searcher(client, context.settings, context.clock, context.control_state.channel)
    taken_back = TakenBack(context.control_state.moderation)
    suggester = Suggester(client, context.settings, taken_back)

    async def find(request: web.Request) -> web.StreamResponse:
        if (form := format_of(request)) is not None:
            return await export_hits(context, searcher, request, form)
        scope = await context.access.scope(request, "search")
        search, page = searcher.read((n, v) for n, v in request.query.items() if n != "token")
        user = context.budgets.bound(scope.bound, admin=False)
        cost = 1.0 if page.counts is None else 1.0 + page.counts.cost
        context.budgets.take_read(user, cost + (search.sort == "meaning"))
        async with context.pages.slot(user):
            found = await searcher.search(
                search, page, patterns=scope.patterns, seen=scope.seen, taken_back=taken_back
            )
            grants = await context.access.grants(request)
            for _ in range(_MOST_LOOKS):  # behind hits that may not be shown there may be others
                events = [bytes(hit.event) for hit in found.hits]
                if (seen := await as_of_hits(context, grants, events, scope.seen)) is None:
                    break
                scope = scope._replace(seen=seen)
                found = await searcher.search(
                    search, page, patterns=scope.patterns, seen=seen, taken_back=taken_back
                )
            if not found.total and not found.hits and page.cursor is None:
                with suppress(RateLimitedError):
                    context.budgets.take_read(user)
                    found.did_you_mean = await meant(search, scope)
            await count_replies(context, found, scope.seen)
            body = msgspec.json.encode(found)
            context.budgets.count_read(user, len(body))
            return await answer(request, body)

    async def meant(search: Search, scope: Scope) -> str | None:
        """A query that is nearly this one, and finds something; None: there is none."""
        where = scope_of(scope)._replace(channels=search.channels, kinds=search.kinds)
        q = await suggester.correct(search.q, where)
        if q is None:
            return None
        again = replace(search, q=q)
        found = await searcher.search(
            again, Page(limit=1), patterns=scope.patterns, seen=scope.seen, taken_back=taken_back
        )
        return q if found.total else None

    async def index(request: web.Request) -> web.StreamResponse:
        await context.access.scope(request, "search")
        return web.Response(
            body=msgspec.json.encode(await searcher.watermarks()), content_type="application/json"
        )

    return [
        Operation(
            method="GET",
            path="/v1/search",
            handler=find,
            name="search",
            summary="Find events by what they say.",
            tag="search",
            parameters=_PARAMETERS,
            replies={200: _FOUND},
            errors=("bad_request", "unauthorized", "forbidden", "rate_limited", "unavailable"),
        ),
        Operation(
            method="GET",
            path="/v1/index",
            handler=index,
            name="indexState",
            summary="How far the index is complete.",
            tag="search",
            replies={200: _INDEX},
            errors=("unauthorized", "unavailable"),
        ),
    ]
