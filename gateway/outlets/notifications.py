"""/v1/notifications: what one wants to be told, when, and where else than here."""

from collections.abc import Sequence
from typing import Any, Final

from aiohttp import web

from control.outlets.notifying import TYPES
from gateway.context import Context
from gateway.http.bodies import JSON, json_object
from gateway.http.operations import Operation, Reply
from gateway.outlets.service import outlet_service
from gateway.rooms.service import bound_of, who_asks
from kernel.access.outward import MAX_URL

_MAX_BYTES: Final = 16 * 1024
_ERRORS: Final = ("bad_request", "unauthorized", "forbidden", "unavailable", "rate_limited")
_TYPES: Final[dict[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {name: {"type": "boolean"} for name in TYPES},
}
_QUIET: Final[dict[str, Any]] = {
    "type": ["string", "null"],
    "description": "When nothing is sent to your devices: 22:00-07:00 Europe/Paris.",
}
_BODY: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "types": _TYPES,
        "quiet": _QUIET,
        "webhook": {
            "type": ["string", "null"],
            "maxLength": MAX_URL,
            "description": "Where they are posted to, beside (`outbox.user_webhooks`); null: nowhere.",
        },
        "push": {
            "type": ["object", "null"],
            "description": "A browser's push subscription; null: none.",
            "properties": {
                "endpoint": {"type": "string"},
                "keys": {
                    "type": "object",
                    "properties": {"p256dh": {"type": "string"}, "auth": {"type": "string"}},
                },
            },
        },
    },
}
_WISHES: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["types", "quiet", "webhook", "push"],
    "properties": {
        "types": _TYPES,
        "quiet": _QUIET,
        "webhook": {"type": ["string", "null"]},
        "push": {"type": "boolean", "description": "Whether a browser is told."},
        "push_key": {
            "type": "string",
            "description": "For a PushManager, where the server pushes.",
        },
        "secret": {"type": "string", "description": "By which posts to `webhook` are signed: told once."},
    },
}


async def routes(context: Context) -> Sequence[Operation]:
    """The operations of this module."""
    service = outlet_service(context)

    async def show(request: web.Request) -> web.Response:
        who = await who_asks(context, request)
        context.budgets.take_read(bound_of(context, who))
        return web.json_response(service.wishes(who))

    async def put(request: web.Request) -> web.Response:
        who = await who_asks(context, request)
        wanted = await json_object(request, _MAX_BYTES, dict[str, Any])
        context.budgets.take_command(bound_of(context, who))
        return web.json_response(await service.set_wishes(who, wanted))

    return [
        Operation(
            method="GET", path="/v1/notifications", handler=show, name="showNotifications",
            tag="notifications", summary="What I want to be told.",
            replies={200: Reply("It.", _WISHES)}, errors=_ERRORS,
        ),
        Operation(
            method="PUT", path="/v1/notifications", handler=put, name="setNotifications",
            tag="notifications", summary="Say what I want to be told, and when.", body={JSON: _BODY},
            replies={200: Reply("It is in force.", _WISHES)},
            errors=(*_ERRORS, "too_large", "unsupported_media_type", "not_delivered"),
        ),
    ]  # fmt: skip
