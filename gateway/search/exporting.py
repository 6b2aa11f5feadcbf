"""All hits of a search as a stream (GET /v1/search?format=csv): the oldest first where nothing is said."""

from functools import partial
from typing import Final

from aiohttp import web

from gateway.context import Context
from gateway.http.exports import Batch, Form, Wanted, export, rows_of
from gateway.search.hits import as_of_hits
from history.retractions import TakenBack
from kernel.errors import TouchlineError
from search_indexer.searching.request import Page
from search_indexer.searching.search import Searcher

#: Rows of an export's first page, and of any: where all of them are as large as events may be, Elasticsearch
#: and the gateway hold them.
_FIRST_ROWS: Final = 50
_MOST_ROWS: Final = 250


async def export_hits(
    context: Context, searcher: Searcher, request: web.Request, form: Form
) -> web.StreamResponse:
    """All hits as a stream, by time: the oldest first where nothing else is said."""
    own, taken_back = {"token", "format", "limit"}, TakenBack(context.control_state.moderation)
    given = [(name, value) for name, value in request.query.items() if name not in own]
    search, page = searcher.read(given if "sort" in request.query else [*given, ("sort", "oldest")])
    if search.sort in {"relevance", "meaning"} or page.counts is not None:
        raise TouchlineError("bad_request", "A stream of all hits is by time, and nothing is counted in it.")
    user = context.budgets.bound((await context.access.scope(request, "search")).bound, admin=False)
    context.budgets.take_read(user)

    async def read(cursor: str | None, fit: int, stretch_ms: int, rows: int) -> Batch:
        # Asked again with each page: what somebody may read ends while they read.
        scope, grants = (
            await context.access.scope(request, "search"),
            await context.access.grants(request),
        )
        look = partial(
            searcher.rows,
            search,
            Page(limit=min(rows, fit), cursor=cursor),
            patterns=scope.patterns,
            taken_back=taken_back,
            stretch_ms=stretch_ms,
        )
        found = await look(seen=scope.seen)
        events = [row.event for row in found.rows]
        if (seen := await as_of_hits(context, grants, events, scope.seen)) is not None:
            found = await look(seen=seen)
            events = [row.event for row in found.rows]
        # How large events are shows when they are there: as many as fit are asked for next.
        largest = max(map(len, events), default=1)
        next_fit = max(1, min(_MOST_ROWS, 4 * fit, context.settings.limits.page_bytes // largest))
        following = None if found.next is None else partial(read, found.next, next_fit, found.stretch_ms)
        return Batch(events, [found.cursor(row.sort) for row in found.rows], following)

    wanted = Wanted(form, rows_of(request.query.get("limit")), user)
    return await export(context, request, wanted, partial(read, page.cursor, _FIRST_ROWS, 0))
