"""Rooms: making one, what is set for it, who is in it; and the rooms that somebody is in."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from aiohttp import web
from msgspec import UNSET, UnsetType

from control.rooms.changes import MAX_NAME
from control.rooms.service import MAX_PAGE, Alter, Create, Members, Who
from control.rooms.state import MAX_MEMBERS, History
from gateway.context import Context
from gateway.http.bodies import JSON, json_object
from gateway.http.guards import answer
from gateway.http.operations import Operation, Parameter, Reply
from gateway.rooms.service import bound_of, room_service, who_asks
from history.rooms import rows_of
from kernel.access.users import MAX_USER, check_user
from kernel.errors import TouchlineError

_MAX_BYTES: Final = 256 * 1024
_LIMIT: Final = 50
ROOM: Final = Parameter(
    "room", "path", "The room's id.", {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,100}$"}, required=True
)
USER: Final = Parameter(
    "user", "path", "A user.", {"type": "string", "minLength": 1, "maxLength": MAX_USER}, required=True
)
LIMIT: Final = Parameter(
    "limit", "query", "How many at most.", {"type": "integer", "minimum": 1, "maximum": MAX_PAGE}
)
CURSOR: Final = Parameter("cursor", "query", "The `next` of the page before.", {"type": "string"})
_USERS: Final[dict[str, Any]] = {
    "type": "array",
    "items": {"type": "string", "minLength": 1, "maxLength": MAX_USER},
    "maxItems": MAX_MEMBERS + 1,
}
_SET: Final[dict[str, Any]] = {
    "name": {"type": "string", "minLength": 1, "maxLength": MAX_NAME, "description": "What people see."},
    "history": {
        "type": "string",
        "enum": ["all", "joined"],
        "description": "What those see who join from now on: everything, or what comes from then on.",
    },
    "receipts": {"type": "boolean", "description": "Whether members see what others received and read."},
}
_ROLE: Final[dict[str, Any]] = {"type": "string", "enum": ["owner", "moderator", "member"]}
_SHOWN: Final[Mapping[str, Any]] = {
    "type": "object",
    "required": ["room", "stream", "name", "history", "receipts", "members", "seq"],
    "properties": {
        "room": {"type": "string"},
        "stream": {"type": "string"},
        **_SET,
        "members": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["user", "role", "since"],
                "properties": {
                    "user": {"type": "string"},
                    "role": _ROLE,
                    "since": {"type": "integer", "description": "The `seq` of the event that added them."},
                },
            },
        },
        "seq": {"type": "integer", "description": "The `seq` of the latest change."},
        "deleted": {"type": "boolean", "description": "It is no more."},
    },
}
_ROW: Final[Mapping[str, Any]] = {
    "type": "object",
    "required": [
        *("room", "stream", "name", "role", "members", "unread", "mentions", "last", "read"),
        *("delivered", "muted"),
    ],
    "properties": {
        "room": {"type": "string"},
        "stream": {"type": "string"},
        "name": {"type": "string"},
        "role": _ROLE,
        "members": {"type": "integer"},
        "unread": {"type": "integer", "description": "Messages of others that I have not read."},
        "mentions": {"type": "integer", "description": "Those of them that mention me."},
        "read": {"type": "integer", "description": "The `seq` up to which I have read it."},
        "delivered": {"type": "integer", "description": "The highest `seq` that a device of mine has."},
        "last": {"type": ["object", "null"], "description": "The latest event."},
        "muted": {"type": "boolean"},
    },
}
_ONE: Final = Reply("The room, once it is in force.", _SHOWN)
_ROWS: Final = Reply(
    "A page of rooms, the latest activity first.",
    {
        "type": "object",
        "required": ["rooms", "next"],
        "properties": {"rooms": {"type": "array", "items": _ROW}, "next": {"type": ["string", "null"]}},
    },
)
_ERRORS: Final = ("bad_request", "unauthorized", "forbidden", "not_found", "unavailable")
_CHANGING: Final = (
    *_ERRORS,
    *("too_large", "unsupported_media_type", "rate_limited", "queue_full", "not_delivered"),
)


class _AlterRequest(msgspec.Struct, frozen=True):
    """What is left out stays as it is; null is nothing that could be set."""

    name: str | UnsetType = UNSET
    history: History | UnsetType = UNSET
    receipts: bool | UnsetType = UNSET


class _Mute(msgspec.Struct, frozen=True):
    on: bool


async def routes(context: Context) -> Sequence[Operation]:
    """The operations of this module."""
    service = room_service(context)

    async def create(request: web.Request) -> web.Response:
        who = await who_asks(context, request)
        wanted = await json_object(request, _MAX_BYTES, Create)
        return web.json_response(await service.create(who, wanted), status=201)

    async def show(request: web.Request) -> web.Response:
        who = await who_asks(context, request)
        context.budgets.take_read(bound_of(context, who))
        return web.json_response(await service.show(who, request.match_info["room"]))

    async def change(request: web.Request) -> web.Response:
        who = await who_asks(context, request)
        given = msgspec.to_builtins(await json_object(request, _MAX_BYTES, _AlterRequest))
        return web.json_response(await service.alter(who, request.match_info["room"], Alter(**given)))

    async def delete(request: web.Request) -> web.Response:
        who = await who_asks(context, request)
        return web.json_response(await service.delete(who, request.match_info["room"]))

    async def members(request: web.Request) -> web.Response:
        who = await who_asks(context, request)
        wanted = await json_object(request, _MAX_BYTES, Members)
        return web.json_response(await service.members(who, request.match_info["room"], wanted))

    async def mute(request: web.Request) -> web.Response:
        who = await who_asks(context, request)
        wanted = await json_object(request, _MAX_BYTES, _Mute)
        context.budgets.take_event(bound_of(context, who), 0)
        return web.json_response(await service.mute(who, request.match_info["room"], on=wanted.on))

    async def listed(request: web.Request, who: Who, user: str) -> web.StreamResponse:
        context.budgets.take_read(bound_of(context, who))
        limit, cursor = limit_of(request, _LIMIT), request.query.get("cursor")
        async with context.pages.slot(bound_of(context, who)):
            page = await rows_of(context.history, service, who, user, limit=limit, cursor=cursor)
            return await answer(request, msgspec.json.encode(page))

    async def mine(request: web.Request) -> web.StreamResponse:
        who = await who_asks(context, request)
        return await listed(request, who, who.named())

    async def theirs(request: web.Request) -> web.StreamResponse:
        return await listed(request, await who_asks(context, request), check_user(request.match_info["user"]))

    fields: dict[str, Any] = {"type": "object", "properties": _SET}
    return [
        Operation(
            method="POST", path="/v1/rooms", handler=create, name="createRoom", tag="rooms",
            summary="Make a room; whoever makes it is its owner.",
            body={
                JSON: {
                    "type": "object",
                    "required": ["name"],
                    "properties": {"room": {"type": "string"}, **_SET, "members": _USERS},
                }
            },
            replies={201: _ONE}, errors=(*_CHANGING, "exists", "too_many"),
        ),
        Operation(
            method="GET", path="/v1/rooms", handler=mine, name="listRooms", tag="rooms",
            summary="The rooms that I am in.", parameters=(LIMIT, CURSOR), replies={200: _ROWS},
            errors=(*_ERRORS, "rate_limited"),
        ),
        Operation(
            method="GET", path="/v1/rooms/{room}", handler=show, name="showRoom", tag="rooms",
            summary="A room, for whoever is in it.", parameters=(ROOM,), replies={200: _ONE},
            errors=(*_ERRORS, "rate_limited"),
        ),
        Operation(
            method="PATCH", path="/v1/rooms/{room}", handler=change, name="changeRoom", tag="rooms",
            summary="Change what is set for a room: its owner and moderators.", parameters=(ROOM,),
            body={JSON: fields}, replies={200: _ONE}, errors=_CHANGING,
        ),
        Operation(
            method="DELETE", path="/v1/rooms/{room}", handler=delete, name="deleteRoom", tag="rooms",
            summary="Delete a room: its owner.", parameters=(ROOM,), replies={200: _ONE}, errors=_CHANGING,
        ),
        Operation(
            method="POST", path="/v1/rooms/{room}/members", handler=members, name="changeMembers",
            summary="Take people out, add others, give roles; in this order.", tag="rooms",
            parameters=(ROOM,),
            body={
                JSON: {
                    "type": "object",
                    "properties": {
                        "add": _USERS,
                        "remove": _USERS,
                        "roles": {"type": "object", "additionalProperties": _ROLE},
                    },
                }
            },
            replies={200: _ONE}, errors=(*_CHANGING, "too_many"),
        ),
        Operation(
            method="PUT", path="/v1/rooms/{room}/mute", handler=mute, name="muteRoom", tag="rooms",
            summary="No notifications of a room for me, or again.", parameters=(ROOM,),
            body={
                JSON: {"type": "object", "required": ["on"], "properties": {"on": {"type": "boolean"}}}
            },
            replies={200: Reply("It is so.", {"type": "object", "required": ["room", "muted"]})},
            errors=_CHANGING,
        ),
        Operation(
            method="GET", path="/v1/users/{user}/rooms", handler=theirs, name="listRoomsOf", tag="rooms",
            summary="The rooms that a user is in: for admin, and for the user.",
            parameters=(USER, LIMIT, CURSOR), replies={200: _ROWS}, errors=(*_ERRORS, "rate_limited"),
        ),
    ]  # fmt: skip


def limit_of(request: web.Request, default: int) -> int:
    """How many rows a page may have. Raises `bad_request`."""
    text = request.query.get("limit", str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= MAX_PAGE):
        raise TouchlineError("bad_request", f"limit is {text[:40]!r}: it is a number from 1 to {MAX_PAGE}.")
    return int(text)
