"""Consent: whether friends, or anybody, may see where I am."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from aiohttp import web

from control.nearby.service import sharing_shown
from gateway.context import Context
from gateway.http.bodies import JSON, json_object
from gateway.http.operations import Operation, Reply
from gateway.nearby.service import nearby_service
from gateway.rooms.service import bound_of, who_asks

_MAX_BYTES: Final = 4096
_ERRORS: Final = ("bad_request", "unauthorized", "unavailable", "rate_limited")
_SHARING: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["on"],
    "properties": {
        "on": {"type": "boolean", "description": "Whether friends may see where I am."},
        "public": {"type": "boolean", "description": "Whether, while it is on, anybody may, coarsely."},
    },
}
_REPLY: Final = Reply("It is so.", _SHARING)


class _SharingRequest(msgspec.Struct, frozen=True):
    on: bool
    public: bool = False


async def routes(context: Context) -> Sequence[Operation]:
    """The operations of this module."""
    service = nearby_service(context)

    async def show(request: web.Request) -> web.Response:
        who = await who_asks(context, request)
        context.budgets.take_read(bound_of(context, who))
        return web.json_response(sharing_shown(service.consent.sharing_of(who.named())))

    async def set_(request: web.Request) -> web.Response:
        who = await who_asks(context, request)
        wanted = await json_object(request, _MAX_BYTES, _SharingRequest)
        # To be seen no more is never too much.
        if wanted.on:
            context.budgets.take_command(bound_of(context, who))
        return web.json_response(await service.share(who, on=wanted.on, public=wanted.public))

    return [
        Operation(
            method="GET", path="/v1/sharing", handler=show, name="showSharing", tag="users",
            summary="Whether others may see where I am.", replies={200: _REPLY}, errors=_ERRORS,
        ),
        Operation(
            method="PUT", path="/v1/sharing", handler=set_, name="setSharing", tag="users",
            summary="Let friends (public: anybody) see where I am, or nobody; off until said.",
            body={JSON: _SHARING}, replies={200: _REPLY},
            errors=(*_ERRORS, "too_large", "unsupported_media_type", "not_delivered"),
        ),
    ]  # fmt: skip
