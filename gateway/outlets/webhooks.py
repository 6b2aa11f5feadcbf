"""/v1/webhooks: where events are posted to, in the form of Standard Webhooks."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from aiohttp import web

from control.outlets.webhooks import MAX_PATTERNS, MAX_TYPES, MAX_USERS, Wanted, shown
from gateway.context import Context
from gateway.http.bodies import JSON, json_object
from gateway.http.operations import Operation, Parameter, Reply
from gateway.outlets.service import outlet_service
from gateway.rooms.service import bound_of, who_asks
from kernel.access.outward import MAX_URL
from kernel.access.tokens import MAX_PATTERN
from kernel.access.users import MAX_USER

_MAX_BYTES: Final = 256 * 1024
_ERRORS: Final = ("bad_request", "unauthorized", "forbidden", "not_found", "unavailable", "rate_limited")
_ID: Final = Parameter(
    "id", "path", "The webhook's id.", {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,100}$"}, required=True
)


def _texts(most: int, longest: int, text: str) -> dict[str, Any]:
    item = {"type": "string", "minLength": 1, "maxLength": longest}
    return {"type": "array", "items": item, "maxItems": most, "description": text}


_SET: Final[dict[str, Any]] = {
    "url": {"type": "string", "format": "uri", "maxLength": MAX_URL},
    "streams": _texts(MAX_PATTERNS, MAX_PATTERN, "Patterns of streams, like chat:wc26-*; instead of users."),
    "users": _texts(MAX_USERS, MAX_USER, "Users whose notifications are posted; instead of streams."),
    "types": _texts(MAX_TYPES, 64, "Only events of these types."),
}
_BODY: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["url"],
    "properties": {
        **_SET,
        "secret": {
            "type": "string",
            "maxLength": 256,
            "description": "whsec_ and base64; without one it is made up, and told in the answer, once.",
        },
    },
}
_WEBHOOK: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["id", "url", "active"],
    "properties": {
        "id": {"type": "string"},
        **_SET,
        "active": {"type": "boolean", "description": "false: the receiver has answered 410."},
        "secret": {"type": "string", "description": "Only where it was made up, and only now."},
    },
}
_ALL: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["webhooks"],
    "properties": {"webhooks": {"type": "array", "items": _WEBHOOK}},
}


async def routes(context: Context) -> Sequence[Operation]:
    """The operations of this module."""
    service = outlet_service(context)

    async def put(request: web.Request) -> web.Response:
        who = await who_asks(context, request)
        wanted = await json_object(request, _MAX_BYTES, Wanted)
        context.budgets.take_command(bound_of(context, who))
        made, new = await service.set_webhook(who, request.match_info["id"], wanted)
        return web.json_response(made, status=201 if new else 200)

    async def show(request: web.Request) -> web.Response:
        who = await who_asks(context, request)
        context.budgets.take_read(bound_of(context, who))
        return web.json_response(shown(service.webhook(who, request.match_info["id"])))

    async def show_all(request: web.Request) -> web.Response:
        who = await who_asks(context, request)
        context.budgets.take_read(bound_of(context, who), service.cost)
        body = {"webhooks": await service.webhooks(who)}
        return web.Response(body=msgspec.json.encode(body), content_type="application/json")

    async def remove(request: web.Request) -> web.Response:
        who = await who_asks(context, request)
        context.budgets.take_command(bound_of(context, who))
        return web.json_response(await service.remove_webhook(who, request.match_info["id"]))

    async def retry(request: web.Request) -> web.Response:
        who = await who_asks(context, request)
        context.budgets.take_command(bound_of(context, who))
        return web.json_response(await service.retry_webhook(who, request.match_info["id"]), status=202)

    changing = (*_ERRORS, "not_delivered")
    return [
        Operation(
            method="GET", path="/v1/webhooks", handler=show_all, name="listWebhooks", tag="webhooks",
            summary="The webhooks of what you administer, and of your own alerts.",
            replies={200: Reply("They.", _ALL)},
            errors=("unauthorized", "unavailable", "rate_limited"),
        ),
        Operation(
            method="PUT", path="/v1/webhooks/{id}", handler=put, name="setWebhook", tag="webhooks",
            summary="Have events posted to an address, in order per channel, at least once.",
            parameters=(_ID,), body={JSON: _BODY},
            replies={
                200: Reply("The webhook was changed.", _WEBHOOK),
                201: Reply("The webhook is new.", _WEBHOOK),
            },
            errors=(*changing, "too_large", "unsupported_media_type", "limit_reached"),
        ),
        Operation(
            method="GET", path="/v1/webhooks/{id}", handler=show, name="showWebhook", tag="webhooks",
            summary="A webhook, without its secret.", parameters=(_ID,),
            replies={200: Reply("The webhook.", _WEBHOOK)}, errors=_ERRORS,
        ),
        Operation(
            method="DELETE", path="/v1/webhooks/{id}", handler=remove, name="removeWebhook", tag="webhooks",
            summary="Post nothing more there.", parameters=(_ID,),
            replies={200: Reply("The webhook, as it was.", _WEBHOOK)}, errors=changing,
        ),
        Operation(
            method="POST", path="/v1/webhooks/{id}/retry", handler=retry, name="retryWebhook",
            tag="webhooks", summary="Try again now what has failed.", parameters=(_ID,),
            replies={202: Reply("It is tried.", _WEBHOOK)}, errors=changing,
        ),
    ]  # fmt: skip
