"""GET /v1/search/suggest: what the last word of a query may go on as, while somebody types."""

from collections.abc import Sequence
from typing import Final

import msgspec
from aiohttp import web

from gateway.context import Context
from gateway.http.access import Scope as Caller
from gateway.http.operations import CHANNEL_PATTERN, Operation, Parameter, Reply
from history.retractions import TakenBack
from history.sources.elasticsearch_client import elastic_client
from kernel.errors import TouchlineError
from kernel.log.positions import Kind
from search_indexer.query.parser import MAX_LENGTH
from search_indexer.searching.request import read_search
from search_indexer.searching.suggest import MAX_LIMIT, Scope, Suggester

#: Who types has gone on by then.
_TIMEOUT_S: Final = 2.0
_COST: Final = 0.25
_LIMIT: Final = 10
_PARAMETERS: Final = (
    Parameter("q", "query", "The query so far.", {"type": "string", "maxLength": MAX_LENGTH}, required=True),
    Parameter(
        "kind",
        "query",
        "Only from this kind; may be repeated.",
        {"type": "string", "enum": [str(k) for k in Kind]},
    ),
    Parameter(
        "channel",
        "query",
        "Only from this channel; may be repeated.",
        {"type": "string", "pattern": CHANNEL_PATTERN},
    ),
    Parameter(
        "limit",
        "query",
        "Suggestions at most.",
        {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": _LIMIT},
    ),
)
_SUGGESTIONS: Final = Reply(
    "What may take the place of all from `start` on, the likeliest first.",
    {
        "type": "object",
        "required": ["start", "suggestions"],
        "properties": {
            "start": {"type": "integer"},
            "suggestions": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["text", "kind"],
                    "properties": {
                        "text": {"type": "string"},
                        "kind": {
                            "type": "string",
                            "enum": ["operator", "value", "time", "sender", "channel", "type", "word"],
                        },
                        "says": {"type": "string", "description": "What an operator asks for."},
                        "count": {"type": "integer", "description": "In how many of the newest events."},
                    },
                },
            },
        },
    },
)


async def routes(context: Context) -> Sequence[Operation]:
    """The operation of this module."""
    client = await context.stack.enter_async_context(elastic_client(context.settings, timeout_s=_TIMEOUT_S))
    suggester = Suggester(client, context.settings, TakenBack(context.control_state.moderation))

    async def suggest(request: web.Request) -> web.Response:
        caller = await context.access.scope(request, "search")
        given = [(name, value) for name, value in request.query.items() if name != "token"]
        if wrong := {name for name, _ in given} - {"q", "kind", "channel", "limit"}:
            raise TouchlineError("bad_request", f"{min(wrong)[:40]!r} is not a parameter of suggestions.")
        text = request.query.get("q", "")
        if len(text) > MAX_LENGTH:
            raise TouchlineError("bad_request", f"q has at most {MAX_LENGTH} characters.")
        search, page = read_search([one for one in given if one[0] != "q"])
        context.budgets.take_read(context.budgets.bound(caller.bound, admin=False), _COST)
        limit = min(page.limit, MAX_LIMIT) if "limit" in request.query else _LIMIT
        scope = scope_of(caller)._replace(channels=search.channels, kinds=search.kinds)
        found = await suggester.complete(text, scope, limit)
        return web.Response(body=msgspec.json.encode(found), content_type="application/json")

    return [
        Operation(
            method="GET",
            path="/v1/search/suggest",
            handler=suggest,
            name="suggest",
            summary="What the last word of a query may go on as.",
            tag="search",
            parameters=_PARAMETERS,
            replies={200: _SUGGESTIONS},
            errors=("bad_request", "unauthorized", "rate_limited", "unavailable"),
        )
    ]


def scope_of(caller: Caller) -> Scope:
    """What is suggested to somebody: from what they may find."""
    return Scope(caller.patterns, caller.seen)
