"""GET /v1/search: events by what they say; and GET /v1/index: how far the index is complete."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from aiohttp import web

from control.rooms.membership import Spans
from control.rooms.state import is_room
from gateway.context import Context
from gateway.http.neighbours import answer
from gateway.http.operations import CHANNEL_PATTERN, Operation, Parameter, Reply
from history.elastic import elastic_client
from history.replies import with_counts
from history.taken_back import TakenBack
from kernel.access.tokens import Grants
from kernel.log.positions import Kind, Stream, split_lane
from search_indexer.query.parser import MAX_LENGTH
from search_indexer.searching.request import MAX_LIMIT
from search_indexer.searching.scope import Seen
from search_indexer.searching.search import Found, Hit, Searcher

_TIMEOUT_S: Final = 10.0
#: An event that is larger is read in a turn of its own.
_LARGE: Final = 64 * 1024
_TEXT: Final = {"type": "string", "minLength": 1, "maxLength": 256}
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
        "By default relevance where there is a q, else newest.",
        {"type": "string", "enum": ["relevance", "newest", "oldest"]},
    ),
    _query(
        "limit",
        "Hits at most.",
        {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": 20},
    ),
    _query("cursor", "The `next` of the page before.", {"type": "string"}),
    _query(
        "facets", "1: also count by kind, channel, sender and time.", {"type": "string", "enum": ["0", "1"]}
    ),
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
        },
    },
)
_INDEX: Final = Reply(
    "Per partition of the events topics: everything before `offset`, up to `seq`, can be found.",
    {"type": "object", "required": ["generation", "watermarks"]},
)


async def routes(context: Context) -> Sequence[Operation]:
    """The operations of this module."""
    client = await context.stack.enter_async_context(elastic_client(context.settings, timeout_s=_TIMEOUT_S))
    searcher = Searcher(client, context.settings, context.clock)
    taken_back = TakenBack(context.control_state.moderation)

    async def find(request: web.Request) -> web.StreamResponse:
        scope = await context.access.scope(request, "search")
        search, page = searcher.read((n, v) for n, v in request.query.items() if n != "token")
        user = context.budgets.bound(scope.bound, admin=False)
        context.budgets.take_read(user, 2.0 if page.facets else 1.0)
        async with context.pages.slot(user):
            found = await searcher.search(
                search, page, patterns=scope.patterns, seen=scope.seen, taken_back=taken_back
            )
            grants = await context.access.grants(request)
            if (seen := await _as_of_hits(context, grants, found, scope.seen)) is not None:
                scope = scope._replace(seen=seen)
                found = await searcher.search(
                    search, page, patterns=scope.patterns, seen=seen, taken_back=taken_back
                )
            await _count_replies(context, found, scope.seen)
            body = msgspec.json.encode(found)
            context.budgets.count_read(user, len(body))
            return await answer(request, body)

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


async def _count_replies(context: Context, found: Found, seen: Seen) -> None:
    """Each hit with the number of its replies; in rooms only where somebody may read all of them."""
    whole = set(seen.rooms)
    by_channel: dict[Stream, list[Hit]] = {}
    for hit in found.hits:
        await _others_first(hit)
        stream = Stream.parse(_placed(bytes(hit.event)).stream)
        told = not is_room(stream) or seen.own is None or stream.channel in whole
        if stream.kind is Kind.CHAT and told:
            base = split_lane(stream.channel)[0]
            by_channel.setdefault(Stream(stream.kind, base), []).append(hit)
    for stream, hits in by_channel.items():
        bodies = [bytes(hit.event) for hit in hits]
        numbers = await context.history.replies(stream, bodies)
        for hit, body in zip(hits, bodies, strict=True):
            await _others_first(hit)
            [counted] = with_counts([body], numbers)
            hit.event = msgspec.Raw(counted)


async def _others_first(hit: Hit) -> None:
    """A page may be of large events: to read all of them at once holds the loop."""
    if len(bytes(hit.event)) > _LARGE:
        await asyncio.sleep(0)


class _Placed(msgspec.Struct):
    stream: str
    seq: int = 0
    members_at: int = 0


_placed: Final = msgspec.json.Decoder(_Placed).decode


async def _as_of_hits(context: Context, grants: Grants, found: Found, seen: Seen) -> Seen | None:
    """What somebody may see by the rooms' own records, as new as the hits; None: the hits keep to it.

    What is kept of a user's rooms lags behind the rooms: who was taken out may still be in it.
    """
    if seen.own is None:
        return None
    rooms, wrong = context.control_state.rooms, dict[str, Spans]()
    for hit in found.hits:
        await _others_first(hit)
        placed = _placed(bytes(hit.event))
        stream = Stream.parse(placed.stream)
        if is_room(stream):
            await rooms.as_of(stream.channel, placed.members_at)
            spans = rooms.readable(grants, stream.channel)
            if placed.seq not in spans:
                wrong[stream.channel] = spans
    if not wrong:
        return None
    ranges = [one for one in seen.ranges if one[0] not in wrong]
    ranges += [(channel, *pair) for channel, spans in wrong.items() for pair in spans.ranges]
    return seen._replace(rooms=[one for one in seen.rooms if one not in wrong], ranges=ranges)
