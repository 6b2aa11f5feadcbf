"""GET /v1/positions: all positions of one's own that are kept, oldest first, as NDJSON."""

from collections.abc import Sequence
from typing import Final

from aiohttp import web

from gateway.context import Context
from gateway.http.bodies import NDJSON
from gateway.http.operations import Operation, Reply
from gateway.rooms.service import bound_of, who_asks
from history.pages import MAX_LIMIT
from kernel.access.users import user_channel
from kernel.errors import TouchlineError
from kernel.log.positions import Kind, Stream

_ERRORS: Final = ("bad_request", "unauthorized", "forbidden", "unavailable", "rate_limited")
_LINES: Final = Reply("An event of `location:user-<me>` a line.", {"type": "string"}, NDJSON[0])


async def routes(context: Context) -> Sequence[Operation]:
    """The operation of this module."""

    async def export(request: web.Request) -> web.StreamResponse:
        who = await who_asks(context, request)
        stream = Stream(Kind.LOCATION, user_channel(who.named()))
        if not who.grants.allows("history", str(stream)):
            raise TouchlineError("forbidden", "The token does not allow history of your own positions.")
        user, after = bound_of(context, who), 0
        async with context.pages.slot(user):
            context.budgets.take_read(user)
            page = await context.history.read(stream, after=after, limit=MAX_LIMIT)
            response = web.StreamResponse()
            response.content_type = NDJSON[0]
            await response.prepare(request)
            while page.events:
                body = b"".join(b"%b\n" % event for event in page.events)
                context.budgets.count_read(user, len(body))
                await response.write(body)
                if not page.more:
                    break
                page = await context.history.read(stream, after=page.seqs[-1], limit=MAX_LIMIT)
            await response.write_eof()
        return response

    return [
        Operation(
            method="GET", path="/v1/positions", handler=export, name="exportPositions", tag="users",
            summary="All positions of mine that are kept, oldest first.", replies={200: _LINES},
            errors=_ERRORS,
        ),
    ]  # fmt: skip
