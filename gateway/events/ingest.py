"""POST /v1/streams/{kind}/{channel}/events: one event, an array, or NDJSON of any length, into Kafka."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Sequence
from functools import partial
from typing import Final

import msgspec
from aiohttp import web

from control.rooms.membership import ALL, Spans
from control.rooms.state import is_room
from gateway.attachments import message_check
from gateway.context import Context
from gateway.events import positions, replies, sending
from gateway.events.changes import (
    OF_OFFICE,
    Item,
    Look,
    Numbers,
    Refusals,
    changes_all,
    looking,
    looking_for_polls,
)
from gateway.events.ingest_api import BODY, PARAMETERS, REPLIES
from gateway.events.preparing import Asked, Prepare
from gateway.events.results import Results
from gateway.events.sending import HeadersOf, Send, Sent, of_all
from gateway.http.access import Caller
from gateway.http.bodies import NDJSON, content_type_of, items_of, lines_of, whole
from gateway.http.operations import Operation, stream_of
from gateway.http.turns import turn
from kernel.access.signing import Signer
from kernel.errors import TouchlineError
from kernel.fairness.budgets import RateLimitedError
from kernel.log.positions import Kind, Stream
from kernel.log.recent import RecentKeys
from kernel.log.records import OFFICE, VIA, Headers
from kernel.process.metrics import INGESTED, REFUSED
from kernel.process.tracing import TRACEPARENT, header_of, open_tracing

#: Events of a part, and bytes: after each part others have their turn.
_PART: Final = 128
_PART_BYTES: Final = 64 * 1024
#: Parts of a long body that are on their way to Kafka at once.
_WINDOWS: Final = 64
_MAX_KEY: Final = 128


async def routes(context: Context) -> Sequence[Operation]:
    """The operation of this module."""
    limit, max_lines = context.settings.gateway.max_event_bytes, context.settings.gateway.max_lines
    recent = RecentKeys()

    tracing = open_tracing(context.settings, "gateway", context.clock)
    context.producer.answers.begin()

    async def post_events(request: web.Request) -> web.StreamResponse:
        stream = stream_of(request)
        way = sending.way_of(request.query.getall("wait", []))
        caller = await context.access.require(request, "publish", str(stream))
        idempotency_key = request.headers.get("Idempotency-Key")
        if idempotency_key is not None and not 0 < len(idempotency_key) <= _MAX_KEY:
            raise TouchlineError("bad_request", f"Idempotency-Key has 1 to {_MAX_KEY} characters.")
        numbers: Numbers | None = None
        if is_room(stream):
            leads = context.control_state.rooms.led_by(caller.user or "", stream.channel)
            numbers = Numbers(anybodys=leads or caller.user is None or caller.speaks_for_others)
            way = sending.in_room(Signer(context.settings.auth), numbers.of)
            if caller.user is not None and not caller.speaks_for_others:
                # Whoever is not in it is told of no room.
                await context.control_state.rooms.writable(caller.user, stream.channel)
        if caller.user is not None:
            context.control_state.moderation.check_may_publish(stream.channel, caller.user)
        lanes = context.control_state.layout(stream.channel).lanes
        take = partial(context.budgets.take_read, context.budgets.bound(caller.bound, admin=False))
        results, refusals = Results(context.settings.gateway.max_refusals), Refusals()
        looks = (
            looking(context.history, stream, caller, lanes, take=take, numbers=numbers),
            message_check.looking(context.attachments, stream, caller),
            looking_for_polls(context.control_state.crowd, stream),
            replies.looking(
                context.history, stream, lanes, await _readable(context, request, stream), take=take
            ),
        )
        asked = Asked(stream, caller, idempotency_key, lanes, refusals, recent, set())
        prepare = Prepare(context, asked)
        # The fold's own answer is the first one's.
        again = asked.again if way is sending.delivering else set[int]()
        # Who is not bound is a service, or an operator: the shares of users are not theirs.
        headers: Headers | None = [(VIA, b"gateway")] if caller.bound is not None else None
        anybodys = changes_all(caller) if numbers is None else numbers.anybodys
        # Whoever may speak for others decides what is traced.
        asked_to, trusted = request.headers.get(TRACEPARENT), caller.bound is None
        span = tracing.begin(f"publish {stream.kind}", asked_to, trusted=trusted) if tracing else None
        if span is not None:
            headers = [*(headers or ()), header_of(span)]
        headers_of = by_office(stream, headers) if anybodys else of_all(headers)
        try:
            send = way(context, stream, prepare, lanes, headers_of)
            if content_type_of(request) in NDJSON:
                items = paced(lines_of(request, limit, max_lines), context, caller)
            else:
                body = await whole(request, context.settings.gateway.max_body_bytes)
                prepare.several = body.lstrip(b" \t\r\n")[:1] == b"["
                one_or_all = _items if prepare.several else _one
                items = one_or_all(context, caller, body, limit)
            parts = _looked(items, prepare, refusals, looks)
            return await many(request, stream.kind, send=send, parts=parts, results=results, again=again)
        finally:
            results.close()
            if span is not None:
                span.end()

    return [
        Operation(
            method="POST",
            path="/v1/streams/{kind}/{channel}/events",
            handler=post_events,
            name="postEvents",
            summary="Post one event, an array of them, or NDJSON of any length.",
            tag="events",
            parameters=PARAMETERS,
            body=BODY,
            replies=REPLIES,
            errors=(
                *("bad_request", "undecodable", "unauthorized", "forbidden", "too_large"),
                *("unsupported_media_type", "invalid_event", "not_found", "queue_full", "not_delivered"),
                *("moderated", "muted", "rate_limited", "expired", "unavailable"),
            ),
        )
    ]


def _items(context: Context, caller: Caller, body: bytes, limit: int) -> AsyncIterator[list[bytes]]:
    return paced(parts_of(items_of(body, limit)), context, caller)


def _one(context: Context, caller: Caller, body: bytes, _: int) -> AsyncIterator[list[bytes]]:
    context.budgets.take_event(caller.bound, len(body))
    return parts_of([body])


async def _readable(context: Context, request: web.Request, stream: Stream) -> Spans:
    """What of a room whoever posts may read."""
    if not is_room(stream):
        return ALL
    return context.control_state.rooms.readable(await context.access.grants(request), stream.channel)


async def many(
    request: web.Request,
    of: str,
    *,
    send: Send,
    parts: AsyncIterator[list[bytes]],
    results: Results,
    again: set[int] | None = None,
) -> web.StreamResponse:
    """Send the parts as they come, a bounded number at once, and answer with a result for each event: of
    those that were posted `again` without a place. `of` says in the metrics what they are."""
    streaming = await _streaming(request)
    windows: deque[tuple[int, int, asyncio.Future[Sent]]] = deque()
    number, error = 0, None

    async def finish_oldest() -> None:
        first, count, future = windows.popleft()
        sent = await future
        INGESTED.labels(of).inc(count - len(sent.failures))
        for failure in sent.failures:
            REFUSED.labels(failure.error.code).inc()
        told = sent.told
        if again:
            told = positions.without(told, [place for place in range(count) if first + place in again])
            again.difference_update(range(first, first + count))
        lines = results.add(count, sent.failures, told)
        if streaming is None:
            results.keep(lines)
        else:
            await streaming.write(lines)

    try:
        async for part in parts:
            first, number = number, number + len(part)
            async with turn(request):
                sent = await send(first, part)
            windows.append((first, len(part), sent))
            while windows and (len(windows) > _WINDOWS or windows[0][2].done()):
                await finish_oldest()
            results.check()
    except TouchlineError as broken:
        # What came before the body broke is on its way: its results are told along with the error.
        # Not with the frames that it came through: this one would hold itself, and all of the body with it.
        error = broken.with_traceback(None)
    while windows:
        await finish_oldest()
    if streaming is None:
        return await results.respond(request, error)
    await streaming.write(msgspec.json.encode(results.summary(error)) + b"\n")
    return streaming


async def _streaming(request: web.Request) -> web.StreamResponse | None:
    """A response to write results to as they come, if the client asks for one."""
    accepted = request.headers.get("Accept", "")
    wanted = next((kind for kind in NDJSON if kind in accepted), None)
    if wanted is None:
        return None
    response = web.StreamResponse(status=202)
    response.content_type = wanted
    await response.prepare(request)
    return response


def by_office(stream: Stream, headers: Headers | None) -> HeadersOf:
    """The headers of events of somebody who may change what others have said: where one may be a retraction
    or a pin, the fold knows it by that, lets it pass and tells moderators."""
    if stream.kind is not Kind.CHAT:
        return of_all(headers)
    official: Headers = [*(headers or ()), (OFFICE, b"gateway")]

    def headers_of(items: Sequence[Item]) -> Headers | None:
        return official if any(mark in value for _, value in items for mark in OF_OFFICE) else headers

    return headers_of


async def paced(
    parts: AsyncIterator[list[bytes]], context: Context, caller: Caller
) -> AsyncIterator[list[bytes]]:
    """The parts, no faster than the user's budgets allow. Raises RateLimitedError where patience ends."""
    user = context.budgets.bound(caller.bound, admin=False)
    patience_s = context.settings.gateway.patience_s
    async for part in parts:
        size = sum(map(len, part))
        wait_s = context.budgets.slow_down(user, len(part), size)
        if user is not None and wait_s > patience_s:
            context.budgets.events.give_back(user, len(part))
            context.budgets.bytes.give_back(user, size)
            raise RateLimitedError("You have used up your events: the rest was not read.", wait_s)
        if wait_s:
            await asyncio.sleep(wait_s)
        yield part


async def _looked(
    parts: AsyncIterator[list[bytes]], prepare: Prepare, refusals: Refusals, looks: Iterable[Look | None]
) -> AsyncIterator[list[bytes]]:
    """The parts, once it is known which of their events may not be posted."""
    through = [look for look in looks if look is not None]
    marks = {mark for look in through for mark in look.marks}
    number = 0
    async for part in parts:
        together = b"\n".join(prepare.read(number, part))
        if any(mark in together for mark in marks):
            for look in through:
                refusals.update(await look.through(enumerate(part, number)))
        number += len(part)
        yield part


async def parts_of(items: Iterable[bytes]) -> AsyncIterator[list[bytes]]:
    """All items, once the last one has been found: of an array that is none nothing is posted."""
    parts: list[list[bytes]] = [[]]
    size = 0
    for item in items:
        if len(parts[-1]) >= _PART or size >= _PART_BYTES:
            parts.append([])
            size = 0
            await asyncio.sleep(0)
        parts[-1].append(item)
        size += len(item)
    for part in parts:
        yield part
