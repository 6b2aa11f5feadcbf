"""GET /v1/streams/{kind}/{channel}/events: a stream's past, page by page."""

from collections.abc import Sequence
from typing import Final

from aiohttp import web

from gateway.context import Context
from gateway.http.neighbours import answer
from gateway.http.operations import CHANNEL, KIND, Operation, Parameter, Reply, stream_of
from gateway.outlets.door import looks_of
from history.pages import MAX_LIMIT
from history.replies import is_id
from history.unread import notify_stream
from history.visible import read_visible
from kernel.errors import TouchlineError
from kernel.log.positions import MAX_SEQ

_DEFAULT_LIMIT: Final = 50
_SEQ: Final = {"type": "integer", "minimum": 0, "maximum": MAX_SEQ}
_PARAMETERS: Final = (
    KIND,
    CHANNEL,
    Parameter("after", "query", "The first events after this `seq`; 0 is from the start.", _SEQ),
    Parameter("before", "query", "The last events before this `seq`. Without both: the last ones.", _SEQ),
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
        unknown = set(request.query) - {"after", "before", "limit", "replies_to", "token"}
        if unknown:
            raise TouchlineError("bad_request", f"{min(unknown)[:40]!r} is not a parameter of history.")
        limit = _number(request, "limit")
        user = context.budgets.bound(caller.bound, admin=False)
        if caller.user is not None and stream == notify_stream(caller.user):
            await looks.say(caller.user)
        context.budgets.take_read(user)
        async with context.pages.slot(user):
            page = await read_visible(
                context.history,
                context.control_state.rooms,
                grants,
                stream,
                after=_number(request, "after"),
                before=_number(request, "before"),
                limit=_DEFAULT_LIMIT if limit is None else limit,
                replies_to=_replies_to(request),
            )
            # The events are JSON already: they are put together, never parsed.
            more = b"true" if page.more else b"false"
            degraded = b',"degraded":true' if page.degraded else b""
            body = b'{"events":[%b],"more":%b%b}' % (b",".join(page.events), more, degraded)
            context.budgets.count_read(user, len(body))
            return await answer(request, body)

    return [
        Operation(
            method="GET",
            path="/v1/streams/{kind}/{channel}/events",
            handler=read,
            name="readHistory",
            summary="Read a stream's past.",
            tag="events",
            parameters=_PARAMETERS,
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
