"""GET /v1/streams/{kind}/{channel}/events: a stream's past, page by page."""

from collections.abc import Sequence
from functools import partial
from typing import Final

from aiohttp import web

from gateway.context import Context
from gateway.http.exports import FORMAT, Batch, Form, Wanted, export, format_of, rows_of
from gateway.http.guards import answer
from gateway.http.operations import CHANNEL, KIND, Operation, Parameter, Reply, stream_of
from gateway.outlets.service import looks_of
from history.pages import MAX_LIMIT
from history.replies import is_id
from history.unread import notify_stream
from history.visible import read_around, read_visible
from kernel.errors import TouchlineError
from kernel.log.positions import MAX_SEQ, Stream

_DEFAULT_LIMIT: Final = 50
_JSON: Final = {True: b"true", False: b"false"}
_SEQ: Final = {"type": "integer", "minimum": 0, "maximum": MAX_SEQ}
_PARAMETERS: Final = (
    KIND,
    CHANNEL,
    Parameter("after", "query", "The first events after this `seq`; 0 is from the start.", _SEQ),
    Parameter("before", "query", "The last events before this `seq`. Without both: the last ones.", _SEQ),
    Parameter(
        "around",
        "query",
        "The event at this `seq`, and as many before it as after it; then `more_before` and `more_after`.",
        _SEQ,
    ),
    Parameter(
        "replies_to",
        "query",
        "Only what answers this event (its id), in a chat.",
        {"type": "string", "pattern": "^[0-9]{1,40}$"},
    ),
    Parameter(
        "limit",
        "query",
        "How many at most; a page also ends at a size (`limits.page_bytes`), and says `more`.",
        {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": _DEFAULT_LIMIT},
    ),
)
_PAGE: Final = Reply(
    "The events in order, without doubles, with nothing missing between them, up to the head of the log.",
    {
        "type": "object",
        "required": ["events", "more"],
        "properties": {
            "events": {"type": "array", "items": {"type": "object"}},
            "more": {"type": "boolean", "description": "Whether there are more in this direction."},
            "more_before": {"type": "boolean", "description": "Of `around`: whether there are earlier ones."},
            "more_after": {"type": "boolean", "description": "Of `around`: whether there are later ones."},
            "degraded": {
                "type": "boolean",
                "description": "Elasticsearch did not answer: read from the log alone, which is slower.",
            },
        },
    },
)


async def routes(context: Context) -> Sequence[Operation]:
    """The operation of this module."""

    looks = looks_of(context)

    async def read(request: web.Request) -> web.StreamResponse:
        stream = stream_of(request)
        caller = await context.access.require(request, "history", str(stream))
        grants = await context.access.grants(request)
        unknown = set(request.query) - {"after", "before", "around", "limit", "replies_to", "format", "token"}
        if unknown:
            raise TouchlineError("bad_request", f"{min(unknown)[:40]!r} is not a parameter of history.")
        given = _number(request, "limit")
        limit = _DEFAULT_LIMIT if given is None else given
        around = _number(request, "around")
        if around is not None and set(request.query) & {"after", "before", "replies_to"}:
            raise TouchlineError("bad_request", "Give around, or after or before, not both.")
        user = context.budgets.bound(caller.bound, admin=False)
        if caller.user is not None and stream == notify_stream(caller.user):
            await looks.say(caller.user)
        if (form := format_of(request)) is not None:
            return await every(request, stream, user, form)
        context.budgets.take_read(user, 1.0 if around is None else 2.0)
        async with context.pages.slot(user):
            ends = b""
            if around is not None:
                found = await read_around(
                    *(context.history, context.control_state.rooms, grants, stream),
                    seq=around,
                    limit=limit,
                    max_bytes=context.settings.limits.page_bytes,
                )
                page, ends = (
                    found.page,
                    b',"more_before":%b,"more_after":%b' % (_JSON[found.before], _JSON[found.after]),
                )
            else:
                page = await read_visible(
                    *(context.history, context.control_state.rooms, grants, stream),
                    after=_number(request, "after"),
                    before=_number(request, "before"),
                    limit=limit,
                    replies_to=_replies_to(request),
                )
            # The events are JSON already: they are put together, never parsed.
            degraded = b',"degraded":true' if page.degraded else b""
            body = b'{"events":[%b],"more":%b%b%b}' % (
                b",".join(page.events),
                _JSON[page.more],
                ends,
                degraded,
            )
            context.budgets.count_read(user, len(body))
            return await answer(request, body)

    async def every(request: web.Request, stream: Stream, user: str | None, form: Form) -> web.StreamResponse:
        """All events after a place, and before another where that is given, as a stream."""
        if set(request.query) & {"around", "replies_to"}:
            raise TouchlineError("bad_request", "A stream of all events has after, before and limit.")
        until, wanted = _number(request, "before"), Wanted(form, rows_of(request.query.get("limit")), user)
        context.budgets.take_read(user)

        async def read(after: int, rows: int) -> Batch:
            # Asked again with each page: what somebody may read ends while they read.
            await context.access.require(request, "history", str(stream))
            page = await read_visible(
                *(context.history, context.control_state.rooms, await context.access.grants(request), stream),
                after=after,
                limit=rows,
                counted=False,
            )
            seqs = page.seqs if until is None else [seq for seq in page.seqs if seq < until]
            if page.more and not page.seqs:
                raise TouchlineError(
                    "unavailable", "Too much here is not yours to see: go on behind the last seq."
                )
            ended = not page.more or len(seqs) < len(page.seqs)
            following = None if ended else partial(read, page.seqs[-1])
            return Batch(page.events[: len(seqs)], (), following)

        return await export(context, request, wanted, partial(read, _number(request, "after") or 0))

    return [
        Operation(
            method="GET",
            path="/v1/streams/{kind}/{channel}/events",
            handler=read,
            name="readHistory",
            summary="Read a stream's past.",
            tag="events",
            parameters=(*_PARAMETERS, FORMAT),
            replies={200: _PAGE},
            errors=("bad_request", "unauthorized", "forbidden", "not_found", "rate_limited", "unavailable"),
        )
    ]


def _replies_to(request: web.Request) -> str:
    given = request.query.getall("replies_to", [])
    if not given:
        return ""
    if len(given) > 1 or not is_id(given[0]):
        raise TouchlineError("bad_request", f"replies_to is {given[0][:60]!r}: it is an event's id.")
    return given[0]


def _number(request: web.Request, name: str) -> int | None:
    values = request.query.getall(name, [])
    if not values:
        return None
    value = values[0]
    if len(values) > 1 or not (value.isascii() and value.isdigit() and len(value) <= 16):
        raise TouchlineError("bad_request", f"{name} is {value[:40]!r}: it is one whole number of 0 or more.")
    if int(value) > MAX_SEQ:
        raise TouchlineError("bad_request", f"{name} is more than {MAX_SEQ}, the highest there is.")
    return int(value)
