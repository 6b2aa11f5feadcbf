"""Following channels, the list of those, and how many follow one."""

from collections.abc import Sequence
from typing import Any, Final

from aiohttp import web

from control.feeds.follows import check_followed
from gateway.context import Context
from gateway.feeds.service import feed_service
from gateway.http.operations import CHANNEL, Operation, Reply, channel_of
from gateway.rooms.rooms import CURSOR, LIMIT, limit_of
from gateway.rooms.service import bound_of, who_asks
from kernel.errors import TouchlineError
from kernel.log.positions import Kind, Stream, is_channel

_LIMIT: Final = 100
_ERRORS: Final = ("bad_request", "unauthorized", "forbidden", "unavailable", "rate_limited", "bad_channel")
_FOLLOW: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["channel", "since"],
    "properties": {
        "channel": {"type": "string"},
        "since": {"type": ["string", "null"], "format": "date-time", "description": "null: not any more."},
    },
}
_LIST: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["follows", "next"],
    "properties": {
        "follows": {"type": "array", "items": _FOLLOW},
        "next": {"type": ["string", "null"]},
    },
}
_COUNT: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["channel", "followers"],
    "properties": {"channel": {"type": "string"}, "followers": {"type": "integer", "minimum": 0}},
}


async def routes(context: Context) -> Sequence[Operation]:
    """The operations of this module."""
    service, state = feed_service(context), context.control_state

    async def follow(request: web.Request) -> web.Response:
        who, channel = await who_asks(context, request), channel_of(request)
        context.budgets.take_command(bound_of(context, who))
        return web.json_response(await service.follow(who, channel))

    async def unfollow(request: web.Request) -> web.Response:
        who, channel = await who_asks(context, request), channel_of(request)
        context.budgets.take_command(bound_of(context, who))
        return web.json_response(await service.unfollow(who, channel))

    async def listed(request: web.Request) -> web.Response:
        who = await who_asks(context, request)
        context.budgets.take_read(bound_of(context, who))
        after = request.query.get("cursor", "")
        if after and not is_channel(after):
            raise TouchlineError("bad_request", "The cursor is none of this list's.")
        return web.json_response(await service.followed(who, after=after, limit=limit_of(request, _LIMIT)))

    async def followers(request: web.Request) -> web.Response:
        who, channel = await who_asks(context, request), check_followed(channel_of(request))
        context.budgets.take_read(bound_of(context, who))
        stream = str(Stream(Kind.BROADCAST, channel))
        if not who.grants.allows("subscribe", stream) or not state.may_read(who.grants, channel):
            raise TouchlineError("forbidden", f"{stream} is not for you to read.")
        return web.json_response({"channel": channel, "followers": service.feeds.followers(channel)})

    return [
        Operation(
            method="PUT", path="/v1/follows/{channel}", handler=follow, name="follow", tag="feeds",
            summary="Follow a channel: what it posts is in your feed.", parameters=(CHANNEL,),
            replies={200: Reply("It is in force.", _FOLLOW)}, errors=(*_ERRORS, "too_many", "not_delivered"),
        ),
        Operation(
            method="DELETE", path="/v1/follows/{channel}", handler=unfollow, name="unfollow", tag="feeds",
            summary="Follow a channel no more.", parameters=(CHANNEL,),
            replies={200: Reply("It is in force.", _FOLLOW)}, errors=(*_ERRORS, "not_delivered"),
        ),
        Operation(
            method="GET", path="/v1/follows", handler=listed, name="listFollows", tag="feeds",
            summary="The channels that I follow.", parameters=(LIMIT, CURSOR),
            replies={200: Reply("A page of them, by name.", _LIST)}, errors=_ERRORS,
        ),
        Operation(
            method="GET", path="/v1/channels/{channel}/followers", handler=followers, name="countFollowers",
            tag="feeds", summary="How many follow a channel.", parameters=(CHANNEL,),
            replies={200: Reply("The number.", _COUNT)}, errors=_ERRORS,
        ),
    ]  # fmt: skip
