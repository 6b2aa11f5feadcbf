"""/v1/fences: places that watch, each with a stream of who comes and goes."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from aiohttp import web

from control.nearby.fences import ID, MAX_CORNERS, MAX_NAMED, MAX_RADIUS_M, FenceRequest, check_id, shown
from gateway.context import Context
from gateway.http.bodies import JSON, json_object
from gateway.http.operations import Operation, Parameter, Reply
from gateway.nearby.service import nearby_service
from gateway.rooms.rooms import CURSOR, LIMIT, limit_of
from gateway.rooms.service import bound_of, who_asks
from kernel.access.users import MAX_USER

_MAX_BYTES: Final = 256 * 1024
_LIMIT: Final = 100
_ERRORS: Final = ("bad_request", "unauthorized", "forbidden", "not_found", "unavailable", "rate_limited")
_ID: Final = Parameter(
    "id", "path", "The fence's id.", {"type": "string", "pattern": f"^{ID.pattern}$"}, required=True
)
_USERS: Final[dict[str, Any]] = {
    "type": "array",
    "items": {"type": "string", "minLength": 1, "maxLength": MAX_USER},
    "maxItems": MAX_NAMED,
}
_LAT: Final[dict[str, Any]] = {"type": "number", "minimum": -90, "maximum": 90}
_LON: Final[dict[str, Any]] = {"type": "number", "minimum": -180, "maximum": 180}
_PLACE: Final[dict[str, Any]] = {
    "lat": _LAT,
    "lon": _LON,
    "radius_m": {"type": "number", "minimum": 1, "maximum": MAX_RADIUS_M},
    "polygon": {
        "type": "array",
        "minItems": 3,
        "maxItems": MAX_CORNERS,
        "items": {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
        "description": "Corners, [lat, lon] each, instead of lat, lon and radius_m.",
    },
    "users": {**_USERS, "description": "Whom it watches; without: all whom its maker may see."},
    "readers": {**_USERS, "description": "Who may read its stream, beside its maker."},
}
_BODY: Final[dict[str, Any]] = {"type": "object", "properties": _PLACE}
_FENCE: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["id", "stream", "maker"],
    "properties": {
        "id": {"type": "string"},
        "stream": {"type": "string"},
        "maker": {"type": ["string", "null"]},
        **_PLACE,
    },
}
_LIST: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["fences", "next"],
    "properties": {"fences": {"type": "array", "items": _FENCE}, "next": {"type": ["string", "null"]}},
}


async def routes(context: Context) -> Sequence[Operation]:
    """The operations of this module."""
    service = nearby_service(context)

    async def show(request: web.Request) -> web.Response:
        who = await who_asks(context, request)
        context.budgets.take_read(bound_of(context, who))
        return web.json_response(
            shown(service.consent.fence_of(check_id(request.match_info["id"]), who.grants))
        )

    async def listed(request: web.Request) -> web.Response:
        who = await who_asks(context, request)
        context.budgets.take_read(bound_of(context, who))
        limit, after = limit_of(request, _LIMIT), request.query.get("cursor", "")
        # Beside the loop: a hundred with all the corners that there may be take long.
        page = await asyncio.to_thread(
            lambda: msgspec.json.encode(service.fences(who, after=after, limit=limit))
        )
        return web.json_response(body=page)

    async def put(request: web.Request) -> web.Response:
        who = await who_asks(context, request)
        wanted = await json_object(request, _MAX_BYTES, FenceRequest)
        context.budgets.take_command(bound_of(context, who))
        made, new = await service.set_fence(who, request.match_info["id"], wanted)
        return web.json_response(made, status=201 if new else 200)

    async def remove(request: web.Request) -> web.Response:
        who = await who_asks(context, request)
        context.budgets.take_command(bound_of(context, who))
        return web.json_response(await service.remove_fence(who, check_id(request.match_info["id"])))

    return [
        Operation(
            method="GET", path="/v1/fences", handler=listed, name="listFences", tag="fences",
            summary="The places that watch which I made.", parameters=(LIMIT, CURSOR),
            replies={200: Reply("A page of them.", _LIST)},
            errors=("bad_request", "unauthorized", "unavailable", "rate_limited"),
        ),
        Operation(
            method="GET", path="/v1/fences/{id}", handler=show, name="showFence", tag="fences",
            summary="A place that watches, for whoever reads its stream.", parameters=(_ID,),
            replies={200: Reply("The fence.", _FENCE)}, errors=_ERRORS,
        ),
        Operation(
            method="PUT", path="/v1/fences/{id}", handler=put, name="setFence", tag="fences",
            summary="Have a place watch who comes and goes, on a stream of its own.", parameters=(_ID,),
            body={JSON: _BODY},
            replies={200: Reply("The fence was changed.", _FENCE), 201: Reply("The fence is new.", _FENCE)},
            errors=(
                *("bad_request", "unauthorized", "unavailable", "rate_limited", "exists", "too_large"),
                *("unsupported_media_type", "limit_reached", "too_many", "not_delivered"),
            ),
        ),
        Operation(
            method="DELETE", path="/v1/fences/{id}", handler=remove, name="removeFence", tag="fences",
            summary="Have a place watch no more: who made the fence does.", parameters=(_ID,),
            replies={200: Reply("The fence, as it was.", _FENCE)}, errors=(*_ERRORS, "not_delivered"),
        ),
    ]  # fmt: skip
