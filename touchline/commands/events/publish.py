"""`touchline publish`: post events to a stream."""

import asyncio
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import click

from kernel.errors import TouchlineError
from kernel.log.positions import MAX_LANES, Kind, Stream

if TYPE_CHECKING:
    from kernel.settings.reading import Settings
    from producers.posts import AnyPost
    from producers.producer import Producer

#: Failures that are shown one by one, and how often progress is told.
_SHOWN: Final = 20
_EVERY: Final = 500
#: So many events wait for the workers' word at once.
_ASKED_AT_ONCE: Final = 500


class StreamName(click.ParamType):
    """`<kind>:<channel>`."""

    name = "stream"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Stream:
        try:
            return Stream.parse(str(value))
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)


@click.command("publish")
@click.argument("stream", type=StreamName())
@click.argument("event", required=False, metavar="[JSON|-]")
@click.option("--text", "-t", help="The text: of a chat message, or as `data.text` of a broadcast.")
@click.option("--type", "type_", help="The event's type; a chat's is `message`, a location's `position`.")
@click.option("--key", help="Your idempotency key: the same key within ten minutes is one event.")
@click.option("--sender", help="Who posts it.")
@click.option("--user", help="Who you are: the sender of what names none.")
@click.option(
    "--wait",
    type=click.Choice(["accepted"]),
    help="Wait until the workers have accepted each event, or say why they refuse it.",
)
@click.option(
    "--spread",
    type=click.IntRange(0, MAX_LANES),
    default=0,
    metavar="N",
    help="Over the lanes of a hot channel.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    *,
    stream: Stream,
    event: str | None,
    text: str | None,
    type_: str | None,
    key: str | None,
    sender: str | None,
    user: str | None,
    wait: str | None,
    spread: int,
    as_json: bool,
) -> None:
    """Post an event, or one a line from standard input (-), and wait until Kafka holds it.

    \b
    Example: touchline publish broadcast:wc26-final --text "Kick-off"
             touchline publish chat:wc26-final '{"sender":"ana","data":{"text":"Olé"}}'
             touchline publish location:user-7 - < positions.ndjson
             touchline publish chat:wc26-final --text "Olé" --user ana --wait accepted --json
    """
    if (event is None) == (text is None):
        raise click.UsageError("Give an event as JSON, `-` for standard input, or --text.")
    overrides = {"type": type_, "key": key, "sender": sender}
    if event == "-":
        items: Iterator[bytes] = (line for line in sys.stdin.buffer if not line.isspace())
    elif text is not None:
        if stream.kind is Kind.LOCATION:
            raise click.UsageError("A location has no text: give JSON with lat and lon.")
        if stream.kind is Kind.BROADCAST and type_ is None:
            overrides["type"] = "message"
        items = iter([json.dumps({"data": {"text": text}}).encode()])
    else:
        items = iter([(event or "").encode()])
    if user is not None:
        from kernel.access.users import check_user

        check_user(user)
    asked = _Shared(stream, overrides, user, spread, waits=wait is not None)
    asyncio.run(_send(asked, items, as_json=as_json))


@dataclass(frozen=True)
class _Shared:
    """What is the same for all events."""

    stream: Stream
    overrides: Mapping[str, str | None]
    user: str | None
    spread: int
    waits: bool

    def post(self, item: bytes) -> "AnyPost":
        """An event as it is to be sent."""
        from producers.posts import read_post

        post = read_post(self.stream, item)
        for name, given in self.overrides.items():
            if given is not None:
                setattr(post, name, given)
        if post.sender is None:
            post.sender = self.user
        return post


async def _send(asked: _Shared, items: Iterator[bytes], *, as_json: bool) -> None:
    from kernel.settings.reading import load_settings
    from producers.producer import Producer
    from producers.sending.delivery import SomeNotDelivered
    from touchline.terminal.progress import shown

    settings = load_settings()
    async with Producer(settings) as producer:
        await producer.connected()
        if asked.waits:
            await producer.listening()
        with shown(f"to {asked.stream}") as advance:

            def counted() -> Iterator[bytes]:
                for number, item in enumerate(items, 1):
                    if not number % _EVERY:
                        advance(number)
                    yield item

            try:
                if asked.waits:
                    delivered, place = await _accepted(producer, asked, counted())
                else:
                    delivered, place = await _delivered(producer, asked, counted(), settings, look=as_json)
            except SomeNotDelivered as some:
                for failure in some.failures[:_SHOWN]:
                    click.echo(f"touchline: event {failure.index + 1}: {failure.error}", err=True)
                raise TouchlineError(
                    some.failures[0].error.code,
                    f"{len(some.failures)} not delivered, {some.delivered} delivered to {asked.stream}.",
                ) from some
    if as_json:
        click.echo(json.dumps({"stream": str(asked.stream), "delivered": delivered, **place}))
    else:
        click.echo(f"{delivered} {'accepted' if asked.waits else 'delivered'} to {asked.stream}")


async def _accepted(
    producer: "Producer", asked: _Shared, items: Iterator[bytes]
) -> tuple[int, dict[str, Any]]:
    """Send and wait for the workers' word; how many, and of one event also where it is."""
    from producers.sending.delivery import Delivered, Failure, SomeNotDelivered

    found: list[Delivered | Failure] = []

    async def one(index: int, item: bytes) -> Delivered | Failure:
        try:
            return await producer.send(asked.post(item), spread=asked.spread, wait="accepted")
        except TouchlineError as error:
            return Failure(index, item, error)

    while some := list(islice(items, _ASKED_AT_ONCE)):
        found += await asyncio.gather(*(one(len(found) + n, item) for n, item in enumerate(some)))
    failures = [result for result in found if isinstance(result, Failure)]
    if failures:
        raise SomeNotDelivered(len(found) - len(failures), failures)
    first = found[0] if len(found) == 1 else None
    return len(found), {} if not isinstance(first, Delivered) else {"seq": first.seq, "id": first.id}


async def _delivered(
    producer: "Producer", asked: _Shared, items: Iterator[bytes], settings: "Settings", *, look: bool
) -> tuple[int, dict[str, Any]]:
    """Send and wait until Kafka holds all; how many, and of one event also where it will be, if asked for."""
    from control.numbering import Numbering, Placed
    from control.topic_tables.snapshot import read_channels
    from kernel.clock import SystemClock
    from kernel.log.topics import topic_names
    from producers.posts import Record
    from producers.sending.batch import Located

    def prepare(item: bytes) -> Record:
        return producer.prepare(producer.on_lane(asked.post(item), asked.spread))

    batch = producer.batch(prepare, Located.IN_CHANNELS if look else Located.NO)
    delivered = await (await producer.submit_batch(batch, items))
    runs = batch.runs() if delivered == 1 else []
    if not runs:
        return delivered, {}
    (run,) = runs
    channel, placed = run.key.decode(), Placed(run.partition, run.offsets[0], run.append_ms)
    registry = await asyncio.to_thread(read_channels, settings, SystemClock(), only=channel)
    numbering = Numbering(topic_names(settings), lambda: registry.epochs)
    position = numbering.position(asked.stream.kind, channel, placed)
    return delivered, {} if position is None else {"seq": position.seq, "id": position.id}
