"""`touchline publish`: post events to a stream."""

import asyncio
import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from kernel.errors import TouchlineError
from kernel.positions import Kind, Stream

if TYPE_CHECKING:
    from producers.posts import Post


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
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    *,
    stream: Stream,
    event: str | None,
    text: str | None,
    type_: str | None,
    key: str | None,
    sender: str | None,
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
    from producers.posts import Post

    overrides = {"type": type_, "key": key, "sender": sender}
    if event == "-":
        posts = _posts(stream, sys.stdin.buffer, overrides)
    elif text is not None:
        kind = type_ or ("message" if stream.kind is Kind.BROADCAST else None)
        if stream.kind is Kind.LOCATION:
            raise click.UsageError("A location has no text: give JSON with lat and lon.")
        posts = iter(
            [
                Post(
                    kind=stream.kind,
                    channel=stream.channel,
                    data={"text": text},
                    type=kind,
                    key=key,
                    sender=sender,
                )
            ]
        )
    else:
        posts = iter([_post(stream, (event or "").encode(), overrides)])
    asyncio.run(_send(stream, posts, as_json=as_json))


async def _send(stream: Stream, posts: "Iterator[Post]", *, as_json: bool) -> None:
    from kernel.settings import load_settings
    from producers.producer import Producer

    async with Producer(load_settings()) as producer:
        count = await producer.send_many(posts)
    if as_json:
        click.echo(json.dumps({"stream": str(stream), "delivered": count}))
    else:
        click.echo(f"{count} delivered to {stream}")


def _posts(stream: Stream, lines: BinaryIO, overrides: dict[str, str | None]) -> "Iterator[Post]":
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield _post(stream, line, overrides)
            except TouchlineError as error:
                raise TouchlineError(error.code, f"Line {number}: {error.message}") from error


def _post(stream: Stream, value: bytes, overrides: dict[str, str | None]) -> "Post":
    from producers.posts import read_post

    post = read_post(stream, value)
    for name, given in overrides.items():
        if given is not None:
            setattr(post, name, given)
    return post
