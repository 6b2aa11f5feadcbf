"""/v1/attachments: announcing one, fetching it, and saying that one has it."""

import asyncio
import secrets
from collections.abc import Sequence
from typing import Any, Final

from aiohttp import web

from control.attachments.references import Facts, not_there
from control.rooms.state import is_room
from gateway.attachments import content, message_check
from gateway.attachments.allowance import Allowance
from gateway.attachments.announcing import MAX_NAME, Announced, facts_of
from gateway.attachments.store import Address
from gateway.context import Context
from gateway.http.access import Reader, device_of
from gateway.http.bodies import JSON, json_object
from gateway.http.operations import Operation, Parameter, Reply
from kernel.attachment_ids import is_attachment, new_attachment
from kernel.clock import to_rfc3339
from kernel.errors import TouchlineError
from kernel.log.positions import Stream

_MAX_BYTES: Final = 16 * 1024
_RANDOM: Final = 14
#: What a worker says of a message is here a moment after the message is; for so long whoever asks waits.
_PATIENCE_S: Final = 3.0
_STEP_S: Final = 0.05

ATTACHMENT: Final = Parameter(
    "attachment",
    "path",
    "The attachment's id.",
    {"type": "string", "pattern": "^[0-9a-v]{32}$"},
    required=True,
)
_TIME: Final = {"type": "string", "format": "date-time"}
_NAME: Final = {"type": "string", "minLength": 1, "maxLength": MAX_NAME}
_SIZE: Final = {"type": "integer", "minimum": 0}
_ANNOUNCED: Final = {
    "type": "object",
    "required": ["stream", "name", "type", "size", "sha256"],
    "properties": {
        "stream": {"type": "string", "description": "The chat whose message will have it."},
        "name": _NAME,
        "type": {"type": "string", "description": "Its media type, like image/png."},
        "size": _SIZE,
        "sha256": {"type": "string", "pattern": "^[0-9a-fA-F]{64}$"},
    },
}
_TAKEN: Final = Reply(
    "Put the bytes there, with these headers; then publish a message with `data.attachments: [id]`.",
    {
        "type": "object",
        "required": ["attachment", "upload"],
        "properties": {
            "attachment": {"type": "string"},
            "upload": {
                "type": "object",
                "required": ["method", "url", "headers", "expires"],
                "properties": {
                    "method": {"type": "string"},
                    "url": {"type": "string"},
                    "headers": {"type": "object", "additionalProperties": {"type": "string"}},
                    "expires": _TIME,
                },
            },
        },
    },
)
_THERE: Final = Reply(
    "What it is, and where its bytes are to be had for some minutes, ranges too.",
    {
        "type": "object",
        "required": ["name", "type", "size", "sha256", "url", "expires"],
        "properties": {
            "name": _NAME,
            "type": {"type": "string"},
            "size": _SIZE,
            "sha256": {"type": "string"},
            "url": {"type": "string"},
            "expires": _TIME,
        },
    },
)


async def routes(context: Context) -> Sequence[Operation | web.RouteDef]:
    """The operations of this module."""
    service, access = context.attachments, context.access
    allowance = Allowance(context.settings.limits, context.clock, service.store)

    async def announce(request: web.Request) -> web.Response:
        said = await json_object(request, _MAX_BYTES, Announced)
        caller = await access.require(request, "publish", said.stream)
        if caller.nameless:
            raise TouchlineError("unauthorized", "Who uploads has to say who they are: with a token.")
        facts = facts_of(said, caller.user, device_of(request), service.settings.max_bytes)
        stream = Stream.parse(facts.stream)
        if is_room(stream) and caller.user is not None and not caller.speaks_for_others:
            await context.control_state.rooms.writable(caller.user, stream.channel)
        attachment = new_attachment(context.clock.now_ms(), secrets.token_bytes(_RANDOM))
        bound = context.budgets.bound(caller.bound, admin=False)
        async with allowance.taking(bound, attachment, facts.size) as taken:
            address = await service.store.upload(attachment, facts, base_of(context, request))
            taken(address.expires_s)
        return web.json_response({"attachment": attachment, "upload": _upload(address)}, status=201)

    async def fetch(request: web.Request) -> web.Response:
        attachment, reader = _asked(request), await access.reader(request)
        context.budgets.take_read(context.budgets.bound(reader.bound, admin=False))
        facts = await readable(context, attachment, reader)
        address = await service.store.download(attachment, facts, base_of(context, request))
        return web.json_response(
            {
                "name": facts.name,
                "type": facts.type,
                "size": facts.size,
                "sha256": facts.sha256,
                "url": address.url,
                "expires": to_rfc3339(address.expires_s * 1000),
            }
        )

    async def fetched(request: web.Request) -> web.Response:
        attachment, reader = _asked(request), await access.reader(request)
        context.budgets.take_read(context.budgets.bound(reader.bound, admin=False))
        facts = await readable(context, attachment, reader)
        if reader.user is not None:
            await service.fetched(attachment, facts, reader.user, device_of(request))
        return web.Response(status=204)

    errors = ("bad_request", "unauthorized", "not_found", "expired", "rate_limited", "unavailable")
    return [
        Operation(
            method="POST", path="/v1/attachments", handler=announce, name="announceAttachment",
            summary="Announce a file that will go with a message; the answer says where to put its bytes.",
            tag="attachments", body={JSON: _ANNOUNCED}, replies={201: _TAKEN},
            errors=(
                *("bad_request", "bad_channel", "unauthorized", "forbidden", "too_large", "disk_full"),
                *("unsupported_media_type", "rate_limited", "limit_reached", "unavailable"),
            ),
        ),
        Operation(
            method="GET", path="/v1/attachments/{attachment}", handler=fetch, name="fetchAttachment",
            summary="What an attachment is and where its bytes are, for whoever may read the message.",
            tag="attachments", parameters=(ATTACHMENT,), replies={200: _THERE}, errors=errors,
        ),
        Operation(
            method="POST", path="/v1/attachments/{attachment}/fetched", handler=fetched,
            name="attachmentFetched", summary="This device (`Touchline-Device`) has it.",
            tag="attachments", parameters=(ATTACHMENT,), replies={204: Reply("It is noted.")},
            errors=(*errors, "not_delivered"),
        ),
        *content.routes(context),
        message_check.route(context),
    ]  # fmt: skip


def base_of(context: Context, request: web.Request) -> str:
    """Where clients find the gateway."""
    return context.settings.gateway.public_url.rstrip("/") or f"{request.scheme}://{request.host}"


async def readable(context: Context, attachment: str, reader: Reader) -> Facts:
    """What it is, for whoever may read a message with it. Raises `not_found`, `expired`, `unavailable`."""
    service, clock = context.attachments, context.clock
    deadline = clock.monotonic() + _PATIENCE_S
    while True:
        facts = await service.store.find(attachment)
        if facts is None:
            raise not_there(attachment)
        for post in service.marks.posts(attachment, facts.stream):
            if await reader.may_read(Stream.parse(post.stream), post.seq, post.members_at):
                if service.over(attachment):
                    raise TouchlineError("expired", f"The days of the attachment {attachment} are over.")
                return facts
        # Known is that nobody, or somebody else, has it; or it is not known yet.
        if service.marks.posted(attachment) or clock.monotonic() > deadline:
            raise not_there(attachment)
        await asyncio.sleep(_STEP_S)


def _upload(address: Address) -> dict[str, Any]:
    return {
        "method": address.method,
        "url": address.url,
        "headers": dict(address.headers),
        "expires": to_rfc3339(address.expires_s * 1000),
    }


def _asked(request: web.Request) -> str:
    attachment = request.match_info["attachment"]
    if not is_attachment(attachment):
        raise not_there(attachment)
    return attachment
