"""GET /v1/channels/{channel}/counters: what a channel is about now."""

from collections.abc import Sequence
from typing import Any, Final

from aiohttp import web

from control.crowd.counters import MOST_PARTS, counters_key, shown
from gateway.context import Context
from gateway.http.operations import CHANNEL, Operation, Reply, channel_of
from kernel.log.positions import Kind, split_lane

_TOP: Final[dict[str, Any]] = {
    "type": "array",
    "items": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}]},
}
_SHOWN: Final = Reply(
    "The channel now. Of one that does not count (its setting `counters`) the viewers alone.",
    {
        "type": "object",
        "required": ["channel", "counted", "viewers"],
        "properties": {
            "channel": {"type": "string"},
            "counted": {"type": "boolean", "description": "Whether its setting `counters` is on."},
            "viewers": {"type": "integer"},
            "messages_per_min": {"type": "number", "description": "Of the last five minutes."},
            "emoji": {**_TOP, "description": "What was reacted with most, and how often."},
            "senders": {**_TOP, "description": "Who said most."},
            "words": {
                **_TOP,
                "description": "What is said more than before, in how many messages.",
            },
        },
    },
)


async def routes(context: Context) -> Sequence[Operation]:
    """The operation of this module."""
    state = context.control_state

    async def show(request: web.Request) -> web.Response:
        channel = split_lane(channel_of(request))[0]
        caller = await context.access.require(request, "subscribe", f"{Kind.CHAT}:{channel}")
        context.budgets.take_read(context.budgets.bound(caller.bound, admin=False))
        watching = (state.presence.watching(f"{kind}:{channel}") for kind in (Kind.CHAT, Kind.BROADCAST))
        found: dict[str, Any] = {"channel": channel, "counted": False, "viewers": max(watching)}
        if state.channel(channel).settings.counters:
            parts = state.crowd.counters.scan(counters_key(channel, ""), limit=MOST_PARTS)
            found |= {"counted": True, **shown([part for _, part in parts], context.clock.now_ms())}
        return web.json_response(found)

    return [
        Operation(
            method="GET", path="/v1/channels/{channel}/counters", handler=show, name="showCounters",
            tag="crowd", summary="What a channel is about now.", parameters=(CHANNEL,), replies={200: _SHOWN},
            errors=("bad_request", "unauthorized", "forbidden", "not_found", "unavailable", "rate_limited"),
        ),
    ]  # fmt: skip
