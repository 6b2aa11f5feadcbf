"""GET /v1/feed: what the channels post that one follows, page by page, the newest first."""

from collections.abc import Sequence
from typing import Any, Final

from aiohttp import web

from gateway.context import Context
from gateway.http.guards import answer
from gateway.http.operations import Operation, Parameter, Reply
from gateway.rooms.service import bound_of, who_asks
from history.following import followed_by
from history.pages import MAX_LIMIT
from kernel.errors import TouchlineError

_LIMIT: Final = 50
_ID: Final[dict[str, Any]] = {"type": "string", "pattern": "^[0-9]{1,40}$"}
_PARAMETERS: Final = (
    Parameter("before", "query", "The last events before this id. Without both: the last ones.", _ID),
    Parameter("after", "query", "The first events after this id.", _ID),
    Parameter(
        "limit",
        "query",
        "How many at most; a page also ends at a size (`limits.page_bytes`), and says `more`.",
        {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": _LIMIT},
    ),
)
_PAGE: Final = Reply(
    "The events by `id`, the newest first, without doubles, with nothing missing between them.",
    {
        "type": "object",
        "required": ["events", "more"],
        "properties": {
            "events": {"type": "array", "items": {"type": "object"}},
            "more": {"type": "boolean", "description": "Whether there are more in this direction."},
            "degraded": {"type": "boolean", "description": "Read from the log alone, which is slower."},
        },
    },
)


async def routes(context: Context) -> Sequence[Operation]:
    """The operation of this module."""

    async def read(request: web.Request) -> web.StreamResponse:
        who = await who_asks(context, request)
        who.named()
        unknown = set(request.query) - {"after", "before", "limit", "token", "user"}
        if unknown:
            raise TouchlineError("bad_request", f"{min(unknown)[:40]!r} is not a parameter of a feed.")
        limit, user = _limit_of(request), bound_of(context, who)
        context.budgets.take_read(user)
        async with context.pages.slot(user):
            followed = await followed_by(context.control_state, who.grants, context.clock)
            page = await context.history.feed(
                followed, before=_one(request, "before"), after=_one(request, "after"), limit=limit
            )
            more = b"true" if page.more else b"false"
            degraded = b',"degraded":true' if page.degraded else b""
            body = b'{"events":[%b],"more":%b%b}' % (b",".join(page.events), more, degraded)
            context.budgets.count_read(user, len(body))
            return await answer(request, body)

    return [
        Operation(
            method="GET", path="/v1/feed", handler=read, name="readFeed", tag="feeds",
            summary="What the channels post that I follow.", parameters=_PARAMETERS, replies={200: _PAGE},
            errors=("bad_request", "unauthorized", "forbidden", "rate_limited", "unavailable"),
        )
    ]  # fmt: skip


def _one(request: web.Request, name: str) -> str | None:
    given = request.query.getall(name, [])
    if len(given) > 1:
        raise TouchlineError("bad_request", f"{name} is given {len(given)} times: give it once.")
    return given[0] if given else None


def _limit_of(request: web.Request) -> int:
    given = _one(request, "limit")
    if given is None:
        return _LIMIT
    if not (given.isascii() and given.isdigit() and len(given) <= 9):
        raise TouchlineError("bad_request", f"limit is {given[:40]!r}: it is a number from 1 to {MAX_LIMIT}.")
    return int(given)
