"""`touchline publish`: post events to a stream."""

import asyncio
import json
import sys
from collections.abc import Iterator
from typing import Any, Final

import click

from kernel.errors import TouchlineError
from kernel.positions import MAX_LANES, Kind, Stream

#: Failures that are shown one by one, and how often progress is told.
_SHOWN: Final = 20
_EVERY: Final = 500


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
    spread: int,
    as_json: bool,
) -> None:
    """Post an event, or one a line from standard input (-), and wait until Kafka holds it.

    \b
    Example: touchline publish broadcast:wc26-final --text "Kick-off"
             touchline publish chat:wc26-final '{"sender":"ana","data":{"text":"Olé"}}'
             touchline publish location:user-7 - < positions.ndjson
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
    asyncio.run(_send(stream, items, overrides, spread=spread, as_json=as_json))


async def _send(
    stream: Stream, items: Iterator[bytes], overrides: dict[str, str | None], *, spread: int, as_json: bool
) -> None:
    from kernel.settings import load_settings
    from producers.delivery import SomeNotDelivered
    from producers.posts import Record, read_post
    from producers.producer import Producer
    from touchline.progress import shown

    async with Producer(load_settings()) as producer:
        await producer.connected()
        with shown(f"to {stream}") as advance:

            def prepare(item: bytes) -> Record:
                post = read_post(stream, item)
                for name, given in overrides.items():
                    if given is not None:
                        setattr(post, name, given)
                return producer.prepare(producer.on_lane(post, spread))

            def counted() -> Iterator[bytes]:
                for number, item in enumerate(items, 1):
                    if not number % _EVERY:
                        advance(number)
                    yield item

            try:
                delivered = await (await producer.submit_many(counted(), prepare))
            except SomeNotDelivered as some:
                for failure in some.failures[:_SHOWN]:
                    click.echo(f"touchline: event {failure.index + 1}: {failure.error}", err=True)
                raise TouchlineError(
                    some.failures[0].error.code,
                    f"{len(some.failures)} not delivered, {some.delivered} delivered to {stream}.",
                ) from some
    if as_json:
        click.echo(json.dumps({"stream": str(stream), "delivered": delivered}))
    else:
        click.echo(f"{delivered} delivered to {stream}")
