"""Whom a user has blocked: who is blocked cannot add them to rooms."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Any, Final

from aiohttp import web

from gateway.context import Context
from gateway.http.operations import Operation, Reply
from gateway.nearby.service import nearby_service
from gateway.rooms.rooms import CURSOR, LIMIT, USER, limit_of
from gateway.rooms.service import bound_of, room_service, who_asks
from kernel.access.users import check_user
from kernel.clock import to_rfc3339
from kernel.errors import TouchlineError

_LIMIT: Final = 100
_ERRORS: Final = ("bad_request", "unauthorized", "forbidden", "unavailable", "rate_limited")
_DONE: Final = Reply(
    "It is in force.",
    {
        "type": "object",
        "required": ["user", "blocked"],
        "properties": {"user": {"type": "string"}, "blocked": {"type": "boolean"}},
    },
)
_BLOCKS: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["blocks", "next"],
    "properties": {
        "blocks": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["user", "since"],
                "properties": {
                    "user": {"type": "string"},
                    "since": {"type": "string", "format": "date-time"},
                },
            },
        },
        "next": {"type": ["string", "null"]},
    },
}


async def routes(context: Context) -> Sequence[Operation]:
    """The operations of this module."""
    service, friends = room_service(context), nearby_service(context)

    async def set_(request: web.Request, *, on: bool) -> web.Response:
        who = await who_asks(context, request)
        context.budgets.take_event(bound_of(context, who), 0)
        other = request.match_info["user"]
        found = await service.block(who, other, on=on)
        if on:
            await friends.part(who.named(), other)  # nor see any more where I am
        return web.json_response(found)

    async def block(request: web.Request) -> web.Response:
        return await set_(request, on=True)

    async def unblock(request: web.Request) -> web.Response:
        return await set_(request, on=False)

    async def show(request: web.Request) -> web.Response:
        who = await who_asks(context, request)
        context.budgets.take_read(bound_of(context, who))
        after = _read_cursor(request.query.get("cursor", ""))
        page = service.blocks(who, after=after, limit=limit_of(request, _LIMIT))
        shown = [{**one, "since": to_rfc3339(one["since"])} for one in page["blocks"]]
        next_ = None if page["next"] is None else urlsafe_b64encode(page["next"].encode()).decode()
        return web.json_response({"blocks": shown, "next": next_})

    changing = (*_ERRORS, "not_delivered")
    return [
        Operation(
            method="PUT", path="/v1/blocks/{user}", handler=block, name="block", tag="users",
            summary="Block a user: they cannot add me to rooms, nor be my friend.", parameters=(USER,),
            replies={200: _DONE},
            errors=changing,
        ),
        Operation(
            method="DELETE", path="/v1/blocks/{user}", handler=unblock, name="unblock", tag="users",
            summary="Block a user no more.", parameters=(USER,), replies={200: _DONE}, errors=changing,
        ),
        Operation(
            method="GET", path="/v1/blocks", handler=show, name="listBlocks", tag="users",
            summary="Whom I have blocked.", parameters=(LIMIT, CURSOR),
            replies={200: Reply("A page of them.", _BLOCKS)}, errors=_ERRORS,
        ),
    ]  # fmt: skip


def _read_cursor(text: str) -> str:
    try:
        return check_user(urlsafe_b64decode(text).decode()) if text else ""
    except (ValueError, TouchlineError):
        raise TouchlineError("bad_request", "The cursor is none of this list's.") from None
