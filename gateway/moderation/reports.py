"""Reports of messages: POST …/reports by whoever may read them, GET …/reports for moderators."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from aiohttp import web

from control.moderation.reports import MAX_REASON, REPORT, About, Report, is_new, read_about
from control.rooms.membership import ALL
from control.rooms.state import is_room
from gateway.context import Context
from gateway.http.bodies import JSON, json_object
from gateway.http.guards import answer
from gateway.http.operations import CHANNEL, Operation, Parameter, Reply
from gateway.moderation.moderators import must_lead
from gateway.rooms.rooms import CURSOR, LIMIT, limit_of
from gateway.rooms.service import bound_of, who_asks
from kernel.access.tokens import parse_stream
from kernel.clock import to_rfc3339
from kernel.errors import TouchlineError
from kernel.log.positions import Kind, Stream, split_lane

_MAX_BYTES: Final = 16 * 1024
_PAGE: Final = 50
#: Messages that are looked up at once: each may be of a megabyte.
_AT_ONCE: Final = 8
_ERRORS: Final = ("bad_request", "unauthorized", "forbidden", "not_found", "unavailable", "rate_limited")
_ROWS: Final = Reply(
    "A page of reports, the latest first. `event` is the message as it may be shown now.",
    {
        "type": "object",
        "required": ["reports", "next"],
        "properties": {
            "reports": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["report", "target", "user", "reason", "at", "event"],
                    "properties": {
                        "report": {"type": "integer"},
                        "target": {"type": "string"},
                        "user": {"type": "string"},
                        "reason": {"type": "string"},
                        "at": {"type": "string", "format": "date-time"},
                        "event": {"type": ["object", "null"]},
                        "done": {"type": "boolean", "description": "It needs nothing more."},
                        "done_by": {"type": ["string", "null"]},
                        "done_at": {"type": "string", "format": "date-time"},
                    },
                },
            },
            "next": {"type": ["string", "null"]},
        },
    },
)


class _ReportRequest(msgspec.Struct, frozen=True):
    target: str
    reason: str


class _Found(msgspec.Struct):
    seq: int = 0
    stream: str = ""


_found: Final = msgspec.json.Decoder(_Found).decode
_OPEN: Final = Parameter("open", "query", "Only those that wait for a moderator.", {"type": "boolean"})


async def routes(context: Context) -> Sequence[Operation]:
    """The operations of this module."""
    state, history = context.control_state, context.history
    moderation, most_bytes = state.moderation, context.settings.limits.page_bytes

    async def post(request: web.Request) -> web.Response:
        stream = chat_of(request)
        await context.access.require(request, "history", str(stream))
        who = await who_asks(context, request)
        wanted = await json_object(request, _MAX_BYTES, _ReportRequest)
        channel = split_lane(stream.channel)[0]
        draft = About(
            user=who.named(), target=wanted.target, stream=str(stream), seq=0, reason=wanted.reason.strip()
        )
        about = read_about(channel, msgspec.to_builtins(draft))
        context.budgets.take_event(bound_of(context, who), len(about.reason))
        body = await history.find(stream, about.target, state.layout(channel).lanes)
        found = None if body is None else _found(body)
        if found is None or (is_room(stream) and found.seq not in state.rooms.readable(who.grants, channel)):
            raise TouchlineError("not_found", f"There is no event {about.target} on {stream}.")
        about = msgspec.structs.replace(about, seq=found.seq, stream=found.stream or str(stream))

        def reported() -> bool:
            head = moderation.reports_head(channel)
            return head is not None and not is_new(head, about, context.clock.now_ms())

        if is_new(moderation.reports_head(channel), about, context.clock.now_ms()):
            await context.commands.send(channel, REPORT, msgspec.to_builtins(about), actor=who.user)
            await state.rooms.until(reported)
        return web.json_response({"stream": about.stream, "target": about.target, "reported": True})

    async def event_of(one: Report) -> msgspec.Raw | None:
        try:
            body = await history.find(Stream.parse(one.stream), one.target)
        except (TouchlineError, ValueError):
            return None  # the report is shown all the same
        return None if body is None else msgspec.Raw(body)

    async def listed(request: web.Request) -> web.StreamResponse:
        stream, who = chat_of(request), await who_asks(context, request)
        channel = split_lane(stream.channel)[0]
        await must_lead(context, who, channel, action="history")
        user = bound_of(context, who)
        context.budgets.take_read(user)
        limit, before = limit_of(request, _PAGE), _number(request.query.get("cursor"))
        waiting = request.query.get("open") == "true"
        found = [
            one
            for one in moderation.reported(channel)
            if (before is None or one.number < before) and not (waiting and one.settled_at)
        ]
        # Of a message from before somebody came they are told that it was reported, and not what it said.
        theirs = state.rooms.readable(who.grants, channel) if is_room(stream) else ALL

        async def shown_to_them(one: Report) -> msgspec.Raw | None:
            return await event_of(one) if one.seq in theirs else None

        async with context.pages.slot(user):
            rows, size, page = list[dict[str, Any]](), 0, found[:limit]
            while len(rows) < len(page) and size <= most_bytes:
                some = page[len(rows) : len(rows) + _AT_ONCE]
                for one, event in zip(some, await asyncio.gather(*map(shown_to_them, some)), strict=True):
                    size += 0 if event is None else len(bytes(event))
                    if rows and size > most_bytes:  # the next page begins with this one
                        break
                    rows.append(_row(one, event))
            next_ = str(rows[-1]["report"]) if len(rows) < len(found) else None
            body = msgspec.json.encode({"reports": rows, "next": next_})
            context.budgets.count_read(user, len(body))
            return await answer(request, body)

    return [
        Operation(
            method="POST", path="/v1/streams/chat/{channel}/reports", handler=post, name="report",
            summary="Report a message to those who moderate the channel.", tag="moderation",
            parameters=(CHANNEL,),
            body={
                JSON: {
                    "type": "object",
                    "required": ["target", "reason"],
                    "properties": {
                        "target": {"type": "string", "description": "The event's id."},
                        "reason": {"type": "string", "minLength": 1, "maxLength": MAX_REASON},
                    },
                }
            },
            replies={200: Reply("It is reported.", {"type": "object", "required": ["target", "reported"]})},
            errors=(*_ERRORS, "too_large", "unsupported_media_type", "not_delivered", "limit_reached"),
        ),
        Operation(
            method="GET", path="/v1/streams/chat/{channel}/reports", handler=listed, name="listReports",
            summary="What was reported in a channel, for those who moderate it.", tag="moderation",
            parameters=(CHANNEL, LIMIT, CURSOR, _OPEN), replies={200: _ROWS}, errors=_ERRORS,
        ),
    ]  # fmt: skip


def chat_of(request: web.Request) -> Stream:
    """The stream that a request's path names."""
    return parse_stream(f"{Kind.CHAT}:{request.match_info['channel']}")


def _row(one: Report, event: msgspec.Raw | None) -> dict[str, Any]:
    return {
        "report": one.number,
        "stream": one.stream,
        "target": one.target,
        "seq": one.seq,
        "user": one.user,
        "reason": one.reason,
        "at": to_rfc3339(one.at),
        "event": event,
        "done": one.settled_at > 0,
        **({"done_by": one.settled_by, "done_at": to_rfc3339(one.settled_at)} if one.settled_at else {}),
    }


def _number(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 16):
        raise TouchlineError("bad_request", "The cursor is none of this list's.")
    return int(cursor)
