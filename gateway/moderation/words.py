"""POST /v1/channels/{channel}/blocked: what blocked words would refuse, before anybody sets them."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from aiohttp import web

from control.channels.bounds import SETTINGS, check_settings
from control.moderation.words import MAX_LOOKED_AT, Blocked
from gateway.context import Context
from gateway.http.bodies import JSON, json_object
from gateway.http.operations import CHANNEL, Operation, Reply, channel_of
from kernel.errors import TouchlineError

#: All texts and words of a request: looking through them is one turn of the loop.
_MAX_BYTES: Final = 192 * 1024
_MAX_TEXTS: Final = 200
_FOUND: Final = Reply(
    "Of each text which words it has; one that has none would be let in.",
    {
        "type": "object",
        "required": ["found"],
        "properties": {"found": {"type": "array", "items": {"type": "array", "items": {"type": "string"}}}},
    },
)


class _TryRequest(msgspec.Struct, frozen=True):
    texts: tuple[str, ...]
    blocked: tuple[str, ...] | None = None


async def routes(context: Context) -> Sequence[Operation]:
    """The operation of this module."""

    async def try_out(request: web.Request) -> web.Response:
        channel = channel_of(request)
        caller = await context.access.require(request, "admin", channel)
        context.budgets.take_command(caller.bound)
        wanted = await json_object(request, _MAX_BYTES, _TryRequest)
        if len(wanted.texts) > _MAX_TEXTS:
            raise TouchlineError(
                "bad_request",
                f"At most {_MAX_TEXTS} texts are tried at once, not {len(wanted.texts):,}.",
            )
        if any(len(text) > MAX_LOOKED_AT for text in wanted.texts):
            raise TouchlineError("too_large", f"A text has at most {MAX_LOOKED_AT:,} characters.")
        words = context.control_state.channel(channel).settings.blocked
        if wanted.blocked is not None:
            check_settings({"blocked": list(wanted.blocked)})
            words = wanted.blocked
        blocked = Blocked(words)
        return web.json_response({"found": [blocked.found_in(text) for text in wanted.texts]})

    schema: dict[str, Any] = {
        "type": "object",
        "required": ["texts"],
        "properties": {
            "texts": {"type": "array", "items": {"type": "string"}, "maxItems": _MAX_TEXTS},
            "blocked": {**SETTINGS["blocked"].schema, "description": "Instead of those that are set."},
        },
    }
    return [
        Operation(
            method="POST", path="/v1/channels/{channel}/blocked", handler=try_out, name="tryBlockedWords",
            summary="Try blocked words out: which of these texts they would refuse. Changes nothing.",
            tag="moderation", parameters=(CHANNEL,), body={JSON: schema}, replies={200: _FOUND},
            errors=(
                *("bad_request", "unauthorized", "forbidden", "unavailable", "rate_limited"),
                *("too_large", "unsupported_media_type"),
            ),
        ),
    ]  # fmt: skip
