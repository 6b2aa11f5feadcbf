"""Polls: one begins, is voted on, looked at and closed."""

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
from aiohttp import web

from control.crowd import polls
from control.crowd.reactions import MAX_OPTIONS
from control.rooms.state import is_room
from gateway.context import Context
from gateway.crowd.reactions import ERRORS
from gateway.crowd.service import by_of, crowd_service
from gateway.http.bodies import JSON, json_object
from gateway.http.operations import CHANNEL, KIND, Operation, Parameter, Reply, stream_of
from gateway.moderation.moderators import must_lead
from gateway.rooms.service import who_asks
from kernel.access.signing import Signer
from kernel.access.users import KEPT, ROOM, check_post
from kernel.errors import TouchlineError
from kernel.log.positions import Kind, Stream
from kernel.log.records import VIA, Headers
from kernel.log.topics import topic_names
from schemas.registry import codec_for

_MAX_BYTES: Final = 32 * 1024
_POLL: Final = Parameter(
    "poll",
    "path",
    "The poll: the id of its event.",
    {"type": "string", "pattern": "^[0-9]{1,40}$"},
    required=True,
)
_ASKED: Final[Mapping[str, Any]] = {
    "type": "object",
    "required": ["question", "options"],
    "properties": {
        "question": {"type": "string", "minLength": 1, "maxLength": polls.MAX_QUESTION},
        "options": {
            "type": "array",
            "items": {"type": "string", "minLength": 1, "maxLength": polls.MAX_OPTION},
            "minItems": polls.MIN_OPTIONS,
            "maxItems": MAX_OPTIONS,
        },
        "closes_in": {
            "type": "string",
            "pattern": "^[0-9]{1,9}(ms|s|m|h|d)$",
            "description": "After which time no vote counts any more, 1s to 30d; without: when it is closed.",
        },
    },
}
_VOTE: Final[Mapping[str, Any]] = {
    "type": "object",
    "required": ["option"],
    "properties": {"option": {"type": "integer", "minimum": 0, "description": "From 0."}},
}
_BEGUN: Final = Reply(
    "It has begun.",
    {"type": "object", "required": ["poll"], "properties": {"poll": {"type": "string"}}},
)
_TIME: Final = {"type": ["string", "null"], "format": "date-time"}
_SHOWN: Final = Reply(
    "The poll, with all votes that were on the log when it was asked.",
    {
        "type": "object",
        "required": ["poll", "stream", "question", "options", "open", "counts", "voters", "mine", "as_of"],
        "properties": {
            "poll": {"type": "string"},
            "stream": {"type": "string"},
            "question": {"type": "string"},
            "options": {"type": "array", "items": {"type": "string"}},
            "by": {"type": ["string", "null"], "description": "Who asks."},
            "opened_at": _TIME,
            "closes_at": _TIME,
            "closed_at": _TIME,
            "open": {"type": "boolean", "description": "Whether votes count."},
            "counts": {"type": "array", "items": {"type": "integer"}, "description": "Of each option."},
            "voters": {"type": "integer"},
            "mine": {"type": ["integer", "null"], "description": "The option that I voted for."},
            "as_of": {"type": "integer", "description": "As of reactions."},
        },
    },
)
_VOTED: Final = Reply(
    "It counts.",
    {
        "type": "object",
        "required": ["poll", "option"],
        "properties": {"poll": {"type": "string"}, "option": {"type": "integer"}},
    },
)


class _Vote(msgspec.Struct, frozen=True):
    option: int


async def routes(context: Context) -> Sequence[Operation]:
    """The operations of this module."""
    service, opened = crowd_service(context), _opening(context)
    rooms, moderation = context.control_state.rooms, context.control_state.moderation

    async def begin(request: web.Request) -> web.Response:
        stream = stream_of(request)
        caller = await context.access.require(request, "publish", str(stream))
        asked = await json_object(request, _MAX_BYTES, polls.Asked)
        check_post(stream.channel, caller.user, None, signs=is_room(stream))
        if caller.user is not None:
            moderation.check_may_publish(stream.channel, caller.user)
            if is_room(stream):
                await rooms.writable(caller.user, stream.channel)
        elif stream.channel.startswith(KEPT):
            (await who_asks(context, request)).named()
        key = request.headers.get("Idempotency-Key") or secrets.token_urlsafe(12)
        event = polls.opened_event(stream.kind, asked, sender=caller.user, key=key)
        poll = await opened(stream, event, context.budgets.bound(caller.bound, admin=False))
        await service.begun(stream, poll)
        return web.json_response({"poll": poll}, status=201)

    async def show(request: web.Request) -> web.Response:
        stream = stream_of(request)
        by = await by_of(context, request, stream)
        context.budgets.take_read(by.bound)
        return web.json_response(await service.shown(by, stream, request.match_info["poll"]))

    async def vote(request: web.Request) -> web.Response:
        stream, poll = stream_of(request), request.match_info["poll"]
        by = await by_of(context, request, stream)
        wanted = await json_object(request, _MAX_BYTES, _Vote)
        context.budgets.take_event(by.bound, 0)
        await service.vote(by, stream, poll, wanted.option)
        return web.json_response({"poll": poll, "option": wanted.option})

    async def close(request: web.Request) -> web.Response:
        stream, poll = stream_of(request), request.match_info["poll"]
        by = await by_of(context, request, stream)
        who = await who_asks(context, request)
        context.budgets.take_event(by.bound, 0)

        async def leads() -> None:
            if not (who.grants.allows("admin", str(stream)) and not stream.channel.startswith(ROOM)):
                await must_lead(context, who, stream.channel)

        await service.close(who, stream, poll, leads=leads)
        return web.json_response(await service.shown(by, stream, poll))

    path = "/v1/streams/{kind}/{channel}/polls"
    one = f"{path}/{{poll}}"
    changing = (
        *ERRORS,
        "too_large",
        "unsupported_media_type",
        "muted",
        "ended",
        "queue_full",
        "not_delivered",
    )
    return [
        Operation(
            method="POST", path=path, handler=begin, name="beginPoll", tag="crowd",
            summary="Ask: an event of type `poll`, which is voted on.", parameters=(KIND, CHANNEL),
            body={JSON: _ASKED}, replies={201: _BEGUN},
            errors=(*changing, "invalid_event", "moderated"),
        ),
        Operation(
            method="GET", path=one, handler=show, name="showPoll", tag="crowd", summary="How a poll stands.",
            parameters=(KIND, CHANNEL, _POLL), replies={200: _SHOWN}, errors=ERRORS,
        ),
        Operation(
            method="PUT", path=f"{one}/vote", handler=vote, name="vote", tag="crowd",
            summary="Vote, or for another option than before.", parameters=(KIND, CHANNEL, _POLL),
            body={JSON: _VOTE}, replies={200: _VOTED}, errors=changing,
        ),
        Operation(
            method="DELETE", path=one, handler=close, name="closePoll", tag="crowd",
            summary="Close a poll: its maker does, or who leads.", parameters=(KIND, CHANNEL, _POLL),
            replies={200: _SHOWN}, errors=changing,
        ),
    ]  # fmt: skip


def _opening(context: Context) -> Callable[[Stream, Mapping[str, Any], str | None], Awaitable[str]]:
    """How the event of a poll is posted: signed, until it is accepted. Returns its id."""
    signer, topics = Signer(context.settings.auth), topic_names(context.settings).ingest
    codecs = {kind: codec_for(context.settings, f"ingest-{kind}") for kind in Kind}

    async def opened(stream: Stream, event: Mapping[str, Any], bound: str | None) -> str:
        value = codecs[stream.kind].encode(event)
        context.budgets.take_event(bound, len(value))
        context.budgets.take_command(bound)  # it is a state until its end
        headers: Headers | None = signer.headers(stream.kind, stream.channel, value)
        if headers is None:
            raise TouchlineError(
                "bad_setting",
                "There are no polls here: there is no secret by which roles sign.",
                hint="Set TOUCHLINE_AUTH_INTERNAL_SECRET, the same for all roles; `touchline up` makes one.",
            )
        via: Headers = [] if bound is None else [(VIA, b"gateway")]
        record = (topics[stream.kind], stream.channel.encode(), value)
        delivered = await context.producer.accepted(record, [*headers, *via])
        return delivered.id or ""

    return opened
