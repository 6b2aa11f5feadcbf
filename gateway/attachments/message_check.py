"""Attachments that messages name: looked at before a message is taken, here and for the edges, which ask."""

from collections.abc import Iterable
from typing import Any, Final

import msgspec
from aiohttp import web

from control.attachments.remote_check import ASK_PATH, SIGNATURE, Question, fresh, question_parts
from gateway.attachments.service import AttachmentService
from gateway.context import Context
from gateway.events.changes import Item, Look, Refusals, refusals_of
from gateway.http.access import Caller
from gateway.http.bodies import JSON, whole
from kernel.access.presigned import UrlSigner
from kernel.access.tokens import parse_stream
from kernel.attachment_ids import MOST, is_attachment
from kernel.errors import TouchlineError
from kernel.log.positions import Kind, Stream

_MAX_BYTES: Final = 16 * 1024


class _Data(msgspec.Struct, frozen=True):
    attachments: Any = None


class _AttachmentRequest(msgspec.Struct):
    sender: str | None = None
    data: _Data = _Data()


_MARKS: Final = (b"attachments", b"\\u")
_posted: Final = msgspec.json.Decoder(_AttachmentRequest).decode


def looking(service: AttachmentService, stream: Stream, caller: Caller) -> Look | None:
    """How the events of a request are looked through; None where none of them can have attachments."""
    if stream.kind is not Kind.CHAT:
        return None
    anybodys = caller.user is None or caller.speaks_for_others

    async def refusal(attachments: list[str]) -> TouchlineError | None:
        try:
            await service.check(attachments, stream, caller.user, anybodys=anybodys)
        except TouchlineError as error:
            return error
        return None

    async def look(items: Iterable[Item]) -> Refusals:
        named = {number: ids for number, value in items if (ids := _named(value))}
        return await refusals_of(named, refusal)

    return Look(_MARKS, look)


def _named(value: bytes) -> list[str]:
    """The attachments that an event names."""
    if not any(mark in value for mark in _MARKS):
        return []
    try:
        ids = _posted(value).data.attachments
    except (msgspec.DecodeError, ValueError, RecursionError):
        return []  # refused when it is made ready
    # What is no list of ids is refused there too.
    if not isinstance(ids, list) or len(ids) > MOST or not all(map(is_attachment, ids)):
        return []
    return ids if len(set(ids)) == len(ids) else []


def route(context: Context) -> web.RouteDef:
    """Where edges ask. Nobody else can: questions are signed."""
    signer, service, clock = UrlSigner(context.settings), context.attachments, context.clock

    async def asked(request: web.Request) -> web.Response:
        body = await whole(request, _MAX_BYTES)
        if not signer.signed(request.headers.get(SIGNATURE, ""), *question_parts(body)):
            raise TouchlineError("forbidden", "Only edges ask this.")
        try:
            question = msgspec.json.decode(body, type=Question)
        except (msgspec.DecodeError, ValueError) as error:
            raise TouchlineError("bad_request", f"This is no question: {error}.") from None
        if not fresh(question, clock.now_ms()):
            raise TouchlineError("expired", "The question is too old.", hint="Are the clocks right?")
        stream = parse_stream(question.stream)
        await service.check(question.attachments, stream, question.user, anybodys=question.anybodys)
        return web.Response(text="{}", content_type=JSON)

    return web.post(ASK_PATH, asked)
