"""PATCH /v1/streams/chat/{channel}/reports: moderators say of reports that they need nothing more."""

from collections.abc import Sequence
from typing import Final

import msgspec
from aiohttp import web

from control.moderation.reports import MOST_SETTLED, SETTLE, Settle, read_settle
from gateway.context import Context
from gateway.http.bodies import JSON, json_object
from gateway.http.operations import CHANNEL, Operation, Reply
from gateway.moderation.moderators import must_lead
from gateway.moderation.reports import chat_of
from gateway.rooms.service import bound_of, who_asks
from kernel.log.positions import split_lane

_MAX_BYTES: Final = 16 * 1024


class _SettleRequest(msgspec.Struct, frozen=True):
    reports: tuple[int, ...]
    done: bool = True


async def routes(context: Context) -> Sequence[Operation]:
    """The operation of this module."""
    moderation, rooms = context.control_state.moderation, context.control_state.rooms

    async def settle(request: web.Request) -> web.Response:
        stream, who = chat_of(request), await who_asks(context, request)
        channel = split_lane(stream.channel)[0]
        await must_lead(context, who, channel)
        context.budgets.take_command(bound_of(context, who))
        wanted = await json_object(request, _MAX_BYTES, _SettleRequest)
        given = Settle(reports=wanted.reports, done=wanted.done)
        settled = read_settle(channel, msgspec.to_builtins(given))

        def left() -> bool:
            found = (moderation.report(channel, number) for number in settled.reports)
            return any(one is not None and (one.settled_at > 0) != settled.done for one in found)

        if left():
            await context.commands.send(channel, SETTLE, msgspec.to_builtins(settled), actor=who.user)
            await rooms.until(lambda: not left())
        return web.json_response({"reports": settled.reports, "done": settled.done})

    return [
        Operation(
            method="PATCH", path="/v1/streams/chat/{channel}/reports", handler=settle, name="settleReports",
            summary="Say of reports, by their numbers, that they need nothing more; or that they do.",
            tag="moderation", parameters=(CHANNEL,),
            body={
                JSON: {
                    "type": "object",
                    "required": ["reports"],
                    "properties": {
                        "reports": {"type": "array", "items": {"type": "integer"}, "maxItems": MOST_SETTLED},
                        "done": {"type": "boolean", "default": True},
                    },
                }
            },
            replies={200: Reply("It is in force.", {"type": "object", "required": ["reports", "done"]})},
            errors=(
                *("bad_request", "unauthorized", "forbidden", "not_found", "unavailable", "rate_limited"),
                *("too_large", "unsupported_media_type", "not_delivered"),
            ),
        ),
    ]  # fmt: skip
