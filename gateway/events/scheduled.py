"""Scheduled posts: events that are posted at their time, whoever has gone home by then."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from aiohttp import web

from control.schedule.schedule import ScheduleService
from control.schedule.scheduled import MAX_ID, Wanted, check_stream, shown
from gateway.context import Context
from gateway.http.access import Caller
from gateway.http.bodies import JSON, json_object
from gateway.http.operations import CHANNEL, KIND, Operation, Parameter, Reply, stream_of
from gateway.http.turns import turn
from kernel.access.signing import Signer
from kernel.access.users import check_post
from kernel.log.positions import Stream

_MAX_BYTES: Final = 32 * 1024
_ID: Final = Parameter(
    "id",
    "path",
    "The post's id.",
    {"type": "string", "pattern": f"^[A-Za-z0-9._-]{{1,{MAX_ID}}}$"},
    required=True,
)
_BODY: Final[Mapping[str, Any]] = {
    "type": "object",
    "required": ["at", "data"],
    "properties": {
        "at": {
            "type": ["string", "integer"],
            "description": "When: 2026-07-19T19:00:00Z, or milliseconds since 1970; at most 30 days ahead.",
        },
        "type": {"type": "string", "description": "What happens; a chat's is `message` by default."},
        "data": {"type": "object", "description": "As of any event of the kind."},
    },
}
_POST: Final[Mapping[str, Any]] = {
    "type": "object",
    "required": ["id", "stream", "at", "type", "data", "by"],
    "properties": {
        "id": {"type": "string"},
        "stream": {"type": "string"},
        "at": {"type": "string", "format": "date-time"},
        "type": {"type": "string"},
        "data": {"type": "object"},
        "by": {"type": ["string", "null"], "description": "Whose event it is going to be."},
    },
}
_ALL: Final[Mapping[str, Any]] = {
    "type": "object",
    "required": ["scheduled"],
    "properties": {"scheduled": {"type": "array", "items": _POST}},
}
_ERRORS: Final = (
    *("bad_request", "bad_channel", "unauthorized", "forbidden", "muted"),
    *("unavailable", "rate_limited"),
)


def leads_there(caller: Caller) -> bool:
    """Whether somebody may change what others have said on the stream."""
    return caller.user is None or caller.speaks_for_others


async def routes(context: Context) -> Sequence[Operation]:
    """The operations of this module."""

    async def command(key: str, name: str, arguments: Mapping[str, Any], actor: str | None) -> None:
        await context.commands.send(key, name, arguments, actor=actor)

    state = context.control_state
    service = ScheduleService(
        state.schedule, state.rooms, command, context.clock, Signer(context.settings.auth)
    )

    async def asked(request: web.Request) -> tuple[Stream, Caller]:
        stream = stream_of(request)
        caller = await context.access.require(request, "publish", str(stream))
        check_stream(stream)
        return stream, caller

    async def changing(request: web.Request) -> tuple[Stream, Caller]:
        stream, caller = await asked(request)
        if caller.user is not None:
            state.moderation.check_may_publish(stream.channel, caller.user)
        context.budgets.take_command(context.budgets.bound(caller.bound, admin=False))
        return stream, caller

    async def put(request: web.Request) -> web.Response:
        stream, caller = await changing(request)
        wanted = await json_object(request, _MAX_BYTES, Wanted)
        user = None if caller.nameless else caller.user
        check_post(stream.channel, user, wanted.type)
        leads = leads_there(caller)
        post, new = await service.put(stream, request.match_info["id"], wanted, user=user, leads=leads)
        return web.json_response(shown(post), status=201 if new else 200)

    async def show(request: web.Request) -> web.Response:
        stream, caller = await asked(request)
        context.budgets.take_read(caller.bound)
        who: Any = {"user": caller.user, "leads": leads_there(caller)}
        return web.json_response(shown(service.found(stream, request.match_info["id"], **who)))

    async def show_all(request: web.Request) -> web.Response:
        stream, caller = await asked(request)
        context.budgets.take_read(caller.bound)
        posts = service.shown(stream, user=caller.user, leads=leads_there(caller))
        # They may have 16 kB each: others have their turn in between.
        told: list[bytes] = []
        for post in posts:
            async with turn(request):
                told.append(msgspec.json.encode(shown(post)))
        body = b'{"scheduled":[' + b",".join(told) + b"]}"
        context.budgets.count_read(caller.bound, len(body))
        return web.Response(body=body, content_type="application/json")

    async def remove(request: web.Request) -> web.Response:
        stream, caller = await changing(request)
        who: Any = {"user": caller.user, "leads": leads_there(caller)}
        return web.json_response(shown(await service.remove(stream, request.match_info["id"], **who)))

    path = "/v1/streams/{kind}/{channel}/scheduled"
    one = f"{path}/{{id}}"
    return [
        Operation(
            method="GET", path=path, handler=show_all, name="listScheduled", tag="events",
            summary="What is going to be posted, the next first: for who may publish there.",
            parameters=(KIND, CHANNEL), replies={200: Reply("They.", _ALL)}, errors=_ERRORS,
        ),
        Operation(
            method="PUT", path=one, handler=put, name="schedule", tag="events",
            summary="Have an event posted at its time, exactly once; or say it anew.",
            parameters=(KIND, CHANNEL, _ID), body={JSON: _BODY},
            replies={200: Reply("It was changed.", _POST), 201: Reply("It is scheduled.", _POST)},
            errors=(
                *_ERRORS, "invalid_event", "too_large", "unsupported_media_type", "too_many", "limit_reached",
                "ended", "not_delivered",
            ),
        ),
        Operation(
            method="GET", path=one, handler=show, name="showScheduled", tag="events",
            summary="A post that is going to be.", parameters=(KIND, CHANNEL, _ID),
            replies={200: Reply("It.", _POST)}, errors=(*_ERRORS, "not_found"),
        ),
        Operation(
            method="DELETE", path=one, handler=remove, name="unschedule", tag="events",
            summary="It is not posted.", parameters=(KIND, CHANNEL, _ID),
            replies={200: Reply("The post, as it was.", _POST)},
            errors=(*_ERRORS, "not_found", "ended", "not_delivered"),
        ),
    ]  # fmt: skip
