"""POST /v1/channels/{channel}/moderation: who may not publish, or not even read; and who that is now."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from aiohttp import web

from control.moderation.moderation import Moderation
from control.moderation.orders import MODERATE, Do, Order, read_order, read_span
from control.moderation.sanctions import FOREVER, Sanction, end_of, shown
from control.rooms.service import MAX_PAGE, Who
from gateway.context import Context
from gateway.http.bodies import JSON, json_object
from gateway.http.operations import CHANNEL, Operation, Reply, channel_of
from gateway.moderation.moderators import must_lead
from gateway.rooms.rooms import CURSOR, LIMIT, limit_of
from gateway.rooms.service import bound_of, who_asks
from kernel.access.users import MAX_USER, check_user
from kernel.clock import to_rfc3339
from kernel.errors import TouchlineError

_MAX_BYTES: Final = 16 * 1024
#: By so much the broker's clock may differ from ours before it is not known any more which order holds.
_NEAR_MS: Final = 15_000
#: Channels from which one moderator bans a user.
MOST_BANS: Final = 200
_USER: Final[dict[str, Any]] = {"type": "string", "minLength": 1, "maxLength": MAX_USER}
_SANCTION: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["user", "muted", "banned"],
    "properties": {
        "channel": {"type": "string"},
        "user": _USER,
        "muted": {"type": "boolean", "description": "They may not publish."},
        "banned": {"type": "boolean", "description": "They may not read either."},
        "muted_until": {"type": "string", "format": "date-time"},
        "banned_until": {"type": "string", "format": "date-time"},
        "by": {"type": ["string", "null"]},
        "at": {"type": "string", "format": "date-time"},
    },
}
_PAGE: Final = Reply(
    "Who is muted or banned.",
    {
        "type": "object",
        "required": ["users", "next"],
        "properties": {
            "users": {"type": "array", "items": _SANCTION},
            "next": {"type": ["string", "null"]},
        },
    },
)
_ERRORS: Final = ("bad_request", "unauthorized", "forbidden", "not_found", "unavailable", "rate_limited")


class _OrderRequest(msgspec.Struct, frozen=True):
    do: Do
    user: str
    for_: str | None = msgspec.field(default=None, name="for")


async def routes(context: Context) -> Sequence[Operation]:
    """The operations of this module."""
    moderation, rooms = context.control_state.moderation, context.control_state.rooms

    async def moderate(request: web.Request) -> web.Response:
        channel, who = channel_of(request), await who_asks(context, request)
        wanted = await json_object(request, _MAX_BYTES, _OrderRequest)
        span = None if wanted.for_ is None else read_span(wanted.for_)
        order = read_order(channel, {"do": wanted.do, "user": check_user(wanted.user), "for_ms": span})
        await must_lead(context, who, channel, over=order.user)
        context.budgets.take_command(bound_of(context, who))
        check_bans(moderation, order, channel, who)
        at_ms = context.clock.now_ms()
        await context.commands.send(channel, MODERATE, msgspec.to_builtins(order), actor=who.user)
        await rooms.until(lambda: _holds(order, moderation.of(channel, order.user), at_ms, now()))
        one = moderation.of(channel, order.user) or Sanction(channel=channel, user=order.user)
        return web.json_response({"channel": channel, **_times(shown(one, now()))})

    def now() -> int:
        return context.clock.now_ms()

    async def listed(request: web.Request) -> web.Response:
        channel, who = channel_of(request), await who_asks(context, request)
        await must_lead(context, who, channel, action="history")
        context.budgets.take_read(bound_of(context, who))
        limit, after = limit_of(request, MAX_PAGE), request.query.get("cursor", "")
        found = moderation.sanctioned(channel, after=after and check_user(after), limit=limit + 1)
        users = [_times(shown(one, now())) for one in found[:limit]]
        next_ = found[limit - 1].user if len(found) > limit else None
        return web.json_response({"users": users, "next": next_})

    return [
        Operation(
            method="POST", path="/v1/channels/{channel}/moderation", handler=moderate, name="moderate",
            summary="Mute or ban a user in a channel, or no more: who administers it, or leads the room.",
            tag="moderation", parameters=(CHANNEL,),
            body={
                JSON: {
                    "type": "object",
                    "required": ["do", "user"],
                    "properties": {
                        "do": {"type": "string", "enum": ["mute", "unmute", "ban", "unban"]},
                        "user": _USER,
                        "for": {"type": "string", "description": "How long: 30s, 10m, 12h, 7d."},
                    },
                }
            },
            replies={200: Reply("It is in force.", _SANCTION)},
            errors=(*_ERRORS, "too_large", "unsupported_media_type", "not_delivered", "limit_reached"),
        ),
        Operation(
            method="GET", path="/v1/channels/{channel}/moderation", handler=listed, name="listSanctions",
            summary="Who is muted or banned in a channel.", tag="moderation",
            parameters=(CHANNEL, LIMIT, CURSOR), replies={200: _PAGE}, errors=_ERRORS,
        ),
    ]  # fmt: skip


def check_bans(moderation: Moderation, order: Order, channel: str, who: Who) -> None:
    """Raise `limit_reached` where somebody has banned a user from many channels: each is a name in the filter
    of the user's searches, and whoever administers channels by a pattern may make as many as they like."""
    if order.do != "ban" or who.user is None or who.grants.allows("admin", "*"):
        return
    if not moderation.banned(order.user, channel) and moderation.bans_by(order.user, who.user) >= MOST_BANS:
        raise TouchlineError(
            "limit_reached",
            f"You have banned {order.user[:80]} from {MOST_BANS} channels, as many as one may.",
            hint="Close channels to all but their readers, or ask an operator.",
        )


def _holds(order: Order, one: Sanction | None, at_ms: int, now_ms: int) -> bool:
    """Whether an order that was given at this time is in force, by what is known here."""
    if one is None:
        return order.do in ("unmute", "unban")
    end = end_of(one.muted if order.do in ("mute", "unmute") else one.banned, now_ms)
    if order.do in ("unmute", "unban"):
        return end is None
    wanted = FOREVER if order.for_ms is None else at_ms + order.for_ms
    return end is not None and abs(end - wanted) <= _NEAR_MS


def _times(made: dict[str, Any]) -> dict[str, Any]:
    """Times as they are written outside."""
    try:
        return made | {
            name: to_rfc3339(made[name]) for name in ("at", "muted_until", "banned_until") if name in made
        }
    except (ValueError, OverflowError, OSError):
        raise TouchlineError("unavailable", "The record says what no worker has written.") from None
