"""Devices of a user, which may be signed out; and ending all connections of one."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from aiohttp import web

from consumers.messenger.signals import DISCONNECT, signal
from control.inbox.places import Ack
from control.rooms.users import key_of
from gateway.context import Context
from gateway.http.operations import Operation, Parameter, Reply
from gateway.rooms.rooms import USER
from gateway.rooms.service import bound_of, who_asks
from kernel.access.users import MAX_DEVICE, check_user
from kernel.clock import to_rfc3339
from kernel.errors import TouchlineError
from kernel.log.topics import topic_names
from producers.posts import Record
from schemas.registry import codec_for

_ERRORS: Final = ("bad_request", "unauthorized", "forbidden", "unavailable", "rate_limited")
DEVICE: Final = Parameter(
    "device", "path", "A device, as its connections name it.",
    {"type": "string", "minLength": 1, "maxLength": MAX_DEVICE}, required=True,
)  # fmt: skip
_DEVICES: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["devices"],
    "properties": {
        "devices": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["device", "last_active"],
                "properties": {
                    "device": {"type": "string"},
                    "last_active": {"type": "string", "format": "date-time", "description": "To a minute."},
                },
            },
        }
    },
}


async def routes(context: Context) -> Sequence[Operation]:
    """The operations of this module."""
    names, rooms = topic_names(context.settings), context.control_state.rooms
    ack, signals = codec_for(context.settings, "ack"), codec_for(context.settings, "signal")

    async def write(topic: str, key: str, value: bytes) -> None:
        record: Record = (topic, key.encode(), value)
        await (await context.producer.submit_many([record], lambda one: one))

    async def show(request: web.Request) -> web.Response:
        who = await who_asks(context, request)
        context.budgets.take_read(bound_of(context, who))
        found = rooms.inboxes.devices_of(who.named(), context.clock.now_ms())
        shown = [{"device": one.device, "last_active": to_rfc3339(one.at)} for one in found]
        return web.json_response({"devices": shown})

    async def sign_out(request: web.Request) -> web.Response:
        who = await who_asks(context, request)
        user, device = who.named(), request.match_info["device"]
        context.budgets.take_event(bound_of(context, who), 0)
        before = rooms.inboxes.of_user(user).gone.get(device, 0)
        if rooms.inboxes.of_user(user).device(device) is None:
            await rooms.fresh()  # one that came a moment ago is known then
        if rooms.inboxes.of_user(user).device(device) is None:
            raise TouchlineError("not_found", f"You have no device {device[:80]}.")
        said = msgspec.to_builtins(Ack(user=user, forget=(device,)))
        await write(names.acks, key_of(user), ack.encode(said))
        await rooms.until(lambda: rooms.inboxes.of_user(user).gone.get(device, 0) > before)
        return web.json_response({"device": device})

    async def disconnect(request: web.Request) -> web.Response:
        who = await who_asks(context, request)
        user = check_user(request.match_info["user"])
        if not who.grants.allows("admin", "*"):
            raise TouchlineError("forbidden", "Only admin ends the connections of others.")
        said = signal(DISCONNECT, edge="", at_ms=context.clock.now_ms(), user=user)
        await write(names.signals, key_of(user), signals.encode(said))
        return web.json_response({"user": user})

    return [
        Operation(
            method="GET", path="/v1/devices", handler=show, name="listDevices", tag="users",
            summary="My devices that were there in the last 30 days, the latest first.",
            replies={200: Reply("They are.", _DEVICES)}, errors=_ERRORS,
        ),
        Operation(
            method="DELETE", path="/v1/devices/{device}", handler=sign_out, name="signOutDevice", tag="users",
            summary="Sign a device out: its connections end, and what it has received is forgotten.",
            parameters=(DEVICE,),
            replies={200: Reply("It is signed out.", {"type": "object", "required": ["device"]})},
            errors=(*_ERRORS, "not_found", "not_delivered"),
        ),
        Operation(
            method="POST", path="/v1/users/{user}/disconnect", handler=disconnect, name="disconnectUser",
            summary="End all connections of a user: for admin.", tag="users", parameters=(USER,),
            replies={200: Reply("They end.", {"type": "object", "required": ["user"]})},
            errors=(*_ERRORS, "not_delivered"),
        ),
    ]  # fmt: skip
