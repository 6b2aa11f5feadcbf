"""POST /v1/streams/{kind}/{channel}/events: one event, an array, or NDJSON of any length, into Kafka."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final

import msgspec
from aiohttp import web

from gateway.context import Context
from gateway.events.changes import Item, Look, Refusals, looking
from gateway.events.ingest_api import BODY, PARAMETERS, REPLIES
from gateway.events.results import Results
from gateway.http.access import Caller
from gateway.http.bodies import NDJSON, content_type_of, lines_of, whole
from gateway.http.operations import Operation, stream_of
from kernel.errors import TouchlineError
from kernel.metrics import INGESTED, REFUSED
from kernel.positions import Stream
from kernel.users import check_post
from producers.delivery import Failure, SomeNotDelivered
from producers.posts import Record, read_post
from schemas.codec import Undecodable

#: Parts of a long body that are on their way to Kafka at once.
_WINDOWS: Final = 16
_MAX_KEY: Final = 128

_array: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
Prepare = Callable[[Item], Record]


async def routes(context: Context) -> Sequence[Operation]:
    """The operation of this module."""
    limit = context.settings.gateway.max_event_bytes

    async def post_events(request: web.Request) -> web.StreamResponse:
        stream = stream_of(request)
        caller = await context.access.require(request, "publish", str(stream))
        idempotency_key = request.headers.get("Idempotency-Key")
        if idempotency_key is not None and not 0 < len(idempotency_key) <= _MAX_KEY:
            raise TouchlineError("bad_request", f"Idempotency-Key has 1 to {_MAX_KEY} characters.")
        results, look, refusals = Results(), looking(context.history, stream, caller), Refusals()
        try:
            if content_type_of(request) in NDJSON:
                prepare = _preparing(context, stream, caller, idempotency_key, refusals, several=True)
                parts = _looked(lines_of(request, limit), look, refusals)
                return await _many(context, request, stream, prepare=prepare, parts=parts, results=results)
            body = await whole(request, context.settings.gateway.max_body_bytes)
            several = body.lstrip(b" \t\r\n")[:1] == b"["
            prepare = _preparing(context, stream, caller, idempotency_key, refusals, several=several)
            parts = _looked(_once(_items(body) if several else [body]), look, refusals)
            return await _many(context, request, stream, prepare=prepare, parts=parts, results=results)
        finally:
            results.close()

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
            ),
        )
    ]


async def _many(
    context: Context,
    request: web.Request,
    stream: Stream,
    *,
    prepare: Prepare,
    parts: AsyncIterator[list[bytes]],
    results: Results,
) -> web.StreamResponse:
    """Send the parts as they come, a bounded number at once, and answer with a result for each event."""
    streaming = await _streaming(request)
    windows: deque[tuple[int, asyncio.Future[int]]] = deque()
    number, error = 0, None

    async def finish_oldest() -> None:
        count, sent = windows.popleft()
        failures: Sequence[Failure] = ()
        try:
            INGESTED.labels(stream.kind).inc(await sent)
        except SomeNotDelivered as some:
            failures = some.failures
            INGESTED.labels(stream.kind).inc(some.delivered)
            for failure in failures:
                REFUSED.labels(failure.error.code).inc()
        lines = results.add(count, failures)
        if streaming is None:
            results.keep(lines)
        else:
            await streaming.write(lines)

    try:
        async for part in parts:
            items = list(enumerate(part, number))
            number += len(items)
            sent = await context.producer.submit_many(
                items, prepare, patience_s=context.settings.gateway.patience_s
            )
            windows.append((len(items), sent))
            while windows and (len(windows) > _WINDOWS or windows[0][1].done()):
                await finish_oldest()
    except TouchlineError as broken:
        # What came before the body broke is on its way: its results are told along with the error.
        error = broken
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


def _preparing(
    context: Context,
    stream: Stream,
    caller: Caller,
    idempotency_key: str | None,
    refusals: Refusals,
    *,
    several: bool,
) -> Prepare:
    """How an item of this request becomes a record."""
    limit, make = context.settings.gateway.max_event_bytes, context.producer.prepare

    def prepare(item: Item) -> Record:
        number, value = item
        if number in refusals:
            raise refusals.pop(number)
        if len(value) > limit:
            raise TouchlineError("too_large", f"The event has more than {limit} bytes.")
        post = read_post(stream, value)
        if caller.user is not None and post.sender != caller.user:
            if post.sender is not None and not caller.speaks_for_others:
                raise TouchlineError("forbidden", "sender is not the token's user.")
            post.sender = post.sender or caller.user
        check_post(stream.channel, post.sender, post.type)
        if post.key is None and idempotency_key is not None:
            # Events that came together need keys of their own: with one key they would be one event.
            post.key = f"{idempotency_key}/{number}" if several else idempotency_key
        return make(post)

    return prepare


def _items(body: bytes) -> list[bytes]:
    try:
        return [bytes(item) for item in _array(body)]
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise Undecodable("undecodable", f"The body is not a JSON array: {error}.") from None


async def _looked(
    parts: AsyncIterator[list[bytes]], look: Look | None, refusals: Refusals
) -> AsyncIterator[list[bytes]]:
    """The parts, once it is known which of their events may not be posted."""
    number = 0
    async for part in parts:
        if look is not None:
            refusals.update(await look(enumerate(part, number)))
        number += len(part)
        yield part


async def _once(items: list[bytes]) -> AsyncIterator[list[bytes]]:
    yield items
