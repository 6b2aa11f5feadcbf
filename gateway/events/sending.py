"""How the events of a request are sent: until Kafka holds them, or until the workers have accepted them."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from control.inbox.about import about_header
from control.numbering import Position
from gateway.context import Context
from gateway.events import positions
from gateway.events.changes import Item, target_of
from gateway.events.preparing import Prepare
from kernel.access.signing import Signer
from kernel.errors import TouchlineError
from kernel.log.positions import Stream
from kernel.log.records import Headers
from producers.posts import Record
from producers.sending.batch import Batch, Located
from producers.sending.delivery import Failure, SomeNotDelivered

#: So many events wait for the fold's answer at once.
_ASKED_AT_ONCE: Final = 500


class Sent(NamedTuple):
    """What became of the events of a part: those that failed; and of the others what there is to say."""

    failures: Sequence[Failure]
    told: bytes | Mapping[int, bytes]


#: Sends the events of a part, from the number of the first one on.
Send = Callable[[int, list[bytes]], Awaitable["asyncio.Future[Sent]"]]
#: The headers of events that are sent together.
HeadersOf = Callable[[Sequence[Item]], Headers | None]
Way = Callable[[Context, Stream, Prepare, int, HeadersOf], Send]


def of_all(headers: Headers | None) -> HeadersOf:
    """The same headers for all of them."""
    return lambda _: headers


def way_of(wait: Sequence[str]) -> Way:
    """The way that `?wait=` asks for. Raises `bad_request`."""
    if not wait:
        return delivering
    if list(wait) != ["accepted"]:
        raise TouchlineError("bad_request", f"wait is {wait[0][:40]!r}: it is accepted, or left out.")
    return accepting


def delivering(context: Context, stream: Stream, prepare: Prepare, lanes: int, headers_of: HeadersOf) -> Send:
    """Until all in-sync replicas have them."""
    located = Located.IN_CHANNELS if lanes else Located.IN_CHANNEL
    producer, patience_s = context.producer, context.settings.gateway.patience_s
    numbering = context.control_state.numbering

    async def settled(batch: Batch[Any], count: int, done: "asyncio.Future[int]") -> Sent:
        failures: Sequence[Failure] = ()
        try:
            await done
        except SomeNotDelivered as some:
            failures = some.failures
        return Sent(failures, positions.lines(numbering, stream, batch.runs(), count))

    async def send(first: int, part: list[bytes]) -> "asyncio.Future[Sent]":
        batch: Batch[Any]
        posts: Iterable[Any]
        if (records := prepare.together(part)) is not None:
            # Usual messages: no headers depend on what they say.
            batch, posts = producer.batch(None, located, headers_of(())), records
        else:
            posts = list(enumerate(part, first))
            batch = producer.batch(prepare, located, headers_of(posts))
        done = await producer.submit_batch(batch, posts, patience_s=patience_s)
        return asyncio.ensure_future(settled(batch, len(part), done))

    return send


def in_room(signer: Signer, numbers: Mapping[str, int]) -> Way:
    """The way into a room: signed, and until the workers, who know who is in it, have accepted each one.

    `numbers`: of messages that are changed, by their ids, as they are once an event is looked up."""

    def signed(context: Context, stream: Stream, prepare: Prepare, lanes: int, headers_of: HeadersOf) -> Send:
        return accepting(context, stream, prepare, lanes, headers_of, signer=signer, numbers=numbers)

    return signed


def accepting(
    context: Context,
    stream: Stream,
    prepare: Prepare,
    lanes: int,  # noqa: ARG001 - a Way
    headers_of: HeadersOf,
    *,
    signer: Signer | None = None,
    numbers: Mapping[str, int] = MappingProxyType({}),
) -> Send:
    """Until the workers have accepted or refused each of them."""

    def headers_with(record: Record, item: Item) -> Headers | None:
        headers = headers_of([item])
        if signer is None:
            return headers
        mac = signer.headers(stream.kind, stream.channel, record[2]) or []
        target = target_of(stream, item[1]) if numbers else None
        about = about_header(signer, stream.channel, target, numbers.get(target)) if target else []
        return [*(headers or ()), *mac, *about]

    async def one(index: int, item: Item) -> bytes | Failure:
        try:
            record = prepare(item)
            delivered = await context.producer.accepted(record, headers_with(record, item))
        except TouchlineError as error:
            return Failure(index, item, error)
        position = Position(delivered.seq or 0, delivered.id or "")
        return positions.line(position, stream, record[1])

    async def all_of(items: list[Item]) -> Sent:
        found: list[bytes | Failure] = []
        for first in range(0, len(items), _ASKED_AT_ONCE):
            some = enumerate(items[first : first + _ASKED_AT_ONCE], first)
            found += await asyncio.gather(*(one(index, item) for index, item in some))
        failures = [result for result in found if isinstance(result, Failure)]
        told = {number: line for number, line in enumerate(found) if not isinstance(line, Failure)}
        return Sent(failures, told)

    async def send(first: int, part: list[bytes]) -> "asyncio.Future[Sent]":
        return asyncio.ensure_future(all_of(list(enumerate(part, first))))

    return send
