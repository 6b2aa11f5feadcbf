"""Refused records over HTTP, for operators: the newest of them with their reasons, and posting them again."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from aiohttp import web

from gateway.context import Context
from gateway.http.bodies import JSON, json_object
from gateway.http.operations import Operation, Parameter, Reply, number_of
from gateway.operators.reading import shown_value
from gateway.operators.records import SHOWN
from kernel.clock import to_rfc3339
from kernel.errors import TouchlineError
from kernel.process.logs import get_logger
from producers.rejections import HOPELESS, Refusal, may_be_retried, place_of, post_again, read_refusals

_log = get_logger("touchline.gateway")
#: So many of each partition are looked at: the command line reads all of them.
_NEWEST: Final = 500
_MOST_SHOWN: Final = 200
_MOST_PLACES: Final = 500
_MAX_BODY: Final = 64 * 1024


class RetryRequest(msgspec.Struct, frozen=True):
    """The body of a retry: the places of what is posted again."""

    places: list[str]


async def routes(context: Context) -> Sequence[Operation]:
    """`GET /v1/rejections`, `POST /v1/rejections/retry`."""
    settings = context.settings
    # Each look reads from Kafka in a thread: they wait for one another.
    one = asyncio.Lock()

    async def newest() -> list[Refusal]:
        async with one:
            return await asyncio.to_thread(read_refusals, settings, newest=_NEWEST)

    async def show(request: web.Request) -> web.Response:
        await context.access.require(request, "admin", "*")
        if (place := request.query.get("place")) is not None:
            return await in_full(place)
        reason, limit = request.query.get("reason"), number_of(request, "limit", default=50, most=_MOST_SHOWN)
        found = await newest()
        reasons = Counter(refusal["reason"] for refusal in found)
        chosen = [refusal for refusal in reversed(found) if reason in (None, refusal["reason"])][:limit]
        return web.json_response(
            {
                "reasons": dict(reasons.most_common()),
                "rejections": [
                    _shown(refusal, retry=may_be_retried(settings, refusal)) for refusal in chosen
                ],
            }
        )

    async def in_full(place: str) -> web.Response:
        refusal = next((one for one in await newest() if place_of(one) == place), None)
        if refusal is None:
            raise _not_there(place)
        told = {
            **_shown(refusal, retry=may_be_retried(settings, refusal)),
            "payload": shown_value(refusal["value"], context.catalog, {}),
        }
        return web.Response(
            body=msgspec.json.encode({"reasons": {refusal["reason"]: 1}, "rejections": [told]}),
            content_type="application/json",
        )

    async def retry(request: web.Request) -> web.Response:
        caller = await context.access.require(request, "admin", "*")
        wanted = await json_object(request, _MAX_BODY, RetryRequest)
        places = set(wanted.places)
        if not 0 < len(places) <= _MOST_PLACES:
            raise TouchlineError("bad_request", f"places names 1 to {_MOST_PLACES} refused records.")
        chosen = [refusal for refusal in await newest() if place_of(refusal) in places]
        if missing := places - {place_of(refusal) for refusal in chosen}:
            raise _not_there(min(missing))
        if hopeless := next((one for one in chosen if one["reason"] in HOPELESS), None):
            raise TouchlineError(
                "bad_request",
                f"{place_of(hopeless)} is {hopeless['reason']}: it would be refused again.",
                hint="`touchline rejected --show PLACE --retry` posts it all the same.",
            )
        async with one:
            done = await asyncio.to_thread(post_again, settings, chosen)
        _log.info("refused records were posted again", records=done, user=caller.user)
        return web.json_response({"posted": done}, status=202)

    return [
        Operation(
            method="GET",
            path="/v1/rejections",
            handler=show,
            name="getRejections",
            summary="The newest records that were refused, with their reasons; for operators.",
            tag="operations",
            parameters=(
                Parameter("limit", "query", "How many, newest first.", {"type": "integer", "minimum": 1}),
                Parameter("reason", "query", "Only those refused for this reason.", _TEXT),
                Parameter("place", "query", "Only this one, with its `payload`.", _TEXT),
            ),
            replies={200: Reply("What was refused.", _SCHEMA)},
            errors=("bad_request", "unauthorized", "forbidden", "not_found", "unavailable"),
        ),
        Operation(
            method="POST",
            path="/v1/rejections/retry",
            handler=retry,
            name="retryRejections",
            summary="Post refused records again, unchanged, where they came from; each once.",
            tag="operations",
            body={JSON: _PLACES},
            replies={202: Reply("Kafka has them; they are judged anew.", _POSTED)},
            errors=(
                "bad_request",
                "unauthorized",
                "forbidden",
                "not_found",
                "too_large",
                "unsupported_media_type",
                "not_delivered",
                "unavailable",
            ),
        ),
    ]


def _not_there(place: str) -> TouchlineError:
    return TouchlineError(
        "not_found",
        f"{place[:100]} is not among the newest that were refused.",
        hint="`touchline rejected --show PLACE` reaches all that are kept.",
    )


def _shown(refusal: Refusal, *, retry: bool) -> dict[str, Any]:
    return {
        "place": place_of(refusal),
        "reason": refusal["reason"],
        "message": refusal["message"],
        "channel": (refusal["record_key"] or b"").decode("utf-8", "replace")[:200],
        "sender": refusal["sender"],
        "posted_at": to_rfc3339(refusal["append_ts"]),
        "retried_at": None if (at := refusal["retried_at"]) is None else to_rfc3339(at),
        "bytes": len(refusal["value"]),
        "retry": retry,
    }


_TEXT: Final = {"type": "string"}
_INTEGER: Final = {"type": "integer"}
_REJECTION: Final = {
    "type": "object",
    "required": [
        "place",
        "reason",
        "message",
        "channel",
        "sender",
        "posted_at",
        "retried_at",
        "bytes",
        "retry",
    ],
    "properties": {
        "place": {**_TEXT, "description": "topic/partition/offset of the refused record"},
        "reason": _TEXT,
        "message": _TEXT,
        "channel": _TEXT,
        "sender": {"type": ["string", "null"]},
        "posted_at": {**_TEXT, "format": "date-time"},
        "retried_at": {
            "type": ["string", "null"],
            "format": "date-time",
            "description": "when it was put back",
        },
        "bytes": _INTEGER,
        "retry": {"type": "boolean", "description": "whether posting it again is of use"},
        "payload": {"type": "object", "required": [*SHOWN], "properties": SHOWN},
    },
}
_SCHEMA: Final = {
    "type": "object",
    "required": ["reasons", "rejections"],
    "properties": {
        "reasons": {"type": "object", "additionalProperties": _INTEGER},
        "rejections": {"type": "array", "items": _REJECTION},
    },
}
_PLACES: Final = {
    "type": "object",
    "required": ["places"],
    "properties": {"places": {"type": "array", "items": _TEXT, "minItems": 1, "maxItems": _MOST_PLACES}},
}
_POSTED: Final = {"type": "object", "required": ["posted"], "properties": {"posted": _INTEGER}}
