"""POST and GET /v1/streams/{kind}/{channel}/reactions: what a crowd does, and what that comes to."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from aiohttp import web

from control.crowd.reactions import MAX_N
from control.crowd.service import By, CrowdService, React
from gateway.context import Context
from gateway.crowd.service import by_of, crowd_service
from gateway.events.ingest import many, paced, parts_of
from gateway.events.ingest_api import REPLIES
from gateway.events.results import Results
from gateway.events.sending import Send, Sent
from gateway.http.access import Caller
from gateway.http.bodies import NDJSON, content_type_of, items_of, lines_of, whole
from gateway.http.operations import CHANNEL, KIND, Operation, Parameter, Reply, stream_of
from kernel.access.users import check_user
from kernel.errors import TouchlineError
from kernel.log.positions import Stream
from producers.sending.delivery import Failure
from schemas.ingest import read_time

_MAX_BYTES: Final = 4096
_REACTION: Final[Mapping[str, Any]] = {
    "type": "object",
    "required": ["with"],
    "properties": {
        "with": {"type": "string", "description": "One emoji, or a name like `:goal:`."},
        "target": {
            "type": "string",
            "pattern": "^[0-9]{1,40}$",
            "description": "The event that it is to, once a user; without it is applause for the stream.",
        },
        "off": {"type": "boolean", "description": "Take a reaction to an event back."},
        "n": {"type": "integer", "minimum": 1, "maximum": MAX_N, "description": "How many applauses."},
        "key": {
            "type": "string",
            "minLength": 1,
            "maxLength": 128,
            "description": "Of applause: the same key of a user within ten minutes counts once.",
        },
        "user": {"type": "string", "description": "In whose name; anybody's with `admin`."},
        "client_ts": {"type": ["string", "integer"]},
    },
}
_BODY: Final[Mapping[str, Mapping[str, Any]]] = {
    "application/json": {"oneOf": [_REACTION, {"type": "array", "items": _REACTION}]},
    NDJSON[0]: {"type": "string", "description": "One reaction a line, of any number."},
}
_TOTALS: Final = Reply(
    "What all reactions that were on the log when it was asked have come to.",
    {
        "type": "object",
        "required": ["totals", "mine", "as_of"],
        "properties": {
            "totals": {"type": "object", "additionalProperties": {"type": "integer"}},
            "mine": {"type": "array", "items": {"type": "string"}, "description": "Of these, my own."},
            "as_of": {
                "type": "integer",
                "description": "The offset in the channel's partition of `touchline.reactions` before which"
                " all is counted, and nothing behind it.",
            },
        },
    },
)
_TARGET: Final = Parameter(
    "target",
    "query",
    "An event's id: reactions to it. Without: applause for the stream.",
    {"type": "string", "pattern": "^[0-9]{1,40}$"},
)
ERRORS: Final = ("bad_request", "unauthorized", "forbidden", "not_found", "unavailable", "rate_limited")


class _Json(msgspec.Struct, frozen=True, kw_only=True):
    """A reaction as it is posted. Fields that are not known are ignored."""

    with_: str = msgspec.field(name="with")
    target: str | None = None
    off: bool = False
    n: int = 1
    key: str | None = None
    user: str | None = None
    client_ts: str | int | None = None


_json: Final = msgspec.json.Decoder(_Json).decode


#: Reactions of one request that are begun in one turn of the loop.
_AT_ONCE: Final = 10


async def routes(context: Context) -> Sequence[Operation]:
    """The operations of this module."""
    service, max_lines = crowd_service(context), context.settings.gateway.max_lines

    async def post(request: web.Request) -> web.StreamResponse:
        stream = stream_of(request)
        caller = await context.access.require(request, "subscribe", str(stream))
        by = By(await context.access.grants(request), caller.user, caller.bound)
        results = Results(context.settings.gateway.max_refusals)
        send = _sending(service, stream, by, speaks=caller.user is None or caller.speaks_for_others)
        try:
            if content_type_of(request) in NDJSON:
                parts = paced(lines_of(request, _MAX_BYTES, max_lines), context, caller)
            else:
                body = await whole(request, context.settings.gateway.max_body_bytes)
                if body.lstrip(b" \t\r\n")[:1] == b"[":
                    parts = paced(parts_of(items_of(body, _MAX_BYTES)), context, caller)
                else:
                    context.budgets.take_event(_bound(context, caller), len(body))
                    parts = parts_of([body])
            return await many(request, "reaction", send=send, parts=parts, results=results)
        finally:
            results.close()

    async def show(request: web.Request) -> web.Response:
        stream = stream_of(request)
        by = await by_of(context, request, stream)
        context.budgets.take_read(by.bound)
        return web.json_response(await service.totals(by, stream, request.query.get("target")))

    path = "/v1/streams/{kind}/{channel}/reactions"
    return [
        Operation(
            method="POST", path=path, handler=post, name="postReactions", tag="crowd",
            summary="React: once, an array, or NDJSON of any length.", parameters=(KIND, CHANNEL), body=_BODY,
            replies=REPLIES,
            errors=(
                *(*ERRORS, "undecodable", "too_large", "unsupported_media_type", "moderated", "muted"),
                *("queue_full", "not_delivered"),
            ),
        ),
        Operation(
            method="GET", path=path, handler=show, name="showReactions", tag="crowd",
            summary="What reactions to a stream, or to an event of it, have come to.",
            parameters=(KIND, CHANNEL, _TARGET), replies={200: _TOTALS}, errors=ERRORS,
        ),
    ]  # fmt: skip


def _bound(context: Context, caller: Caller) -> str | None:
    return context.budgets.bound(caller.bound, admin=False)


def _sending(service: CrowdService, stream: Stream, by: By, *, speaks: bool) -> Send:
    """How the reactions of a part are sent: lines that are alike are read once."""

    async def one(line: bytes, numbers: list[int]) -> list[Failure]:
        try:
            read = _read(line)
            whose = _in_name_of(read.user, by, speaks=speaks)
            what = React(
                *(read.with_, read.target, read.off, read.n, read.key, read_time(read.client_ts)),
            )
            if what.target is None and what.key is None:
                service.check(whose, stream, what)
                await asyncio.shield(service.applaud(stream, what.with_, what.n * len(numbers)))
            else:
                for _ in numbers:
                    await service.react(whose, stream, what)
        except TouchlineError as error:
            return [Failure(number, line, error) for number in numbers]
        return []

    async def all_of(part: list[bytes]) -> Sent:
        alike: dict[bytes, list[int]] = {}
        for number, line in enumerate(part):
            alike.setdefault(line, []).append(number)
        under_way: list[asyncio.Task[list[Failure]]] = []
        for line, numbers in alike.items():
            under_way.append(asyncio.create_task(one(line, numbers)))
            if len(under_way) % _AT_ONCE == 0:
                await asyncio.sleep(0)  # these go as far as they can, and others have their turn
        found = await asyncio.gather(*under_way)
        return Sent([failure for failures in found for failure in failures], {})

    async def send(_: int, part: list[bytes]) -> "asyncio.Future[Sent]":
        return asyncio.ensure_future(all_of(part))

    return send


def _in_name_of(user: str | None, by: By, *, speaks: bool) -> By:
    if user is None or user == by.user:
        return by
    if not speaks:
        raise TouchlineError("forbidden", "user is not the token's user.")
    return by._replace(user=check_user(user))


def _read(line: bytes) -> _Json:
    if len(line) > _MAX_BYTES:
        raise TouchlineError("too_large", f"The reaction has more than {_MAX_BYTES} bytes.")
    try:
        return _json(line)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise TouchlineError("bad_request", f"This is no reaction: {error}.") from None
