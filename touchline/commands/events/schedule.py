"""`touchline schedule`: events that are posted at their time, by way of a gateway."""

import asyncio
import json
from typing import TYPE_CHECKING, Any

import click

from kernel.errors import TouchlineError
from touchline.gateway_options import gateway_of, options
from touchline.terminal.printable import printable

if TYPE_CHECKING:
    from consumers.client.requests.schedule import Schedule


def schedule(gateway: str | None, token: str | None, user: str | None) -> "Schedule":
    """What somebody has scheduled, at the gateway that is meant."""
    from consumers.client.requests.schedule import Schedule

    return Schedule(gateway_of(gateway), token=token, user=user)


@click.group("schedule")
def command() -> None:
    """Have events posted at their time, exactly once, whoever has gone home by then.

    \b
    Example: touchline schedule set chat:wc26-final doors 2026-07-19T17:00:00Z --text "Doors open."
             touchline schedule list chat:wc26-final
    """


@command.command("set")
@click.argument("stream")
@click.argument("id_", metavar="ID")
@click.argument("at")
@click.option("--type", "type_", help="What happens; a chat's is message by default.")
@click.option("--text", help="The event's text.")
@click.option("--data", help="The event's data, as a JSON object, instead.")
@options()
def set_(*, stream: str, id_: str, at: str, type_: str | None, as_json: bool, **more: Any) -> None:
    """Schedule an event, or say it anew.

    Example: touchline schedule set chat:wc26-final doors 2026-07-19T17:00:00Z --text "Doors open."
    """
    text, data = more.pop("text"), more.pop("data")
    if (text is None) == (data is None):
        raise click.UsageError("Give --text, or --data with a JSON object.")
    made = asyncio.run(
        schedule(**more).put(stream, id_, at, type_, {"text": text} if data is None else _object(data))
    )
    click.echo(json.dumps(made) if as_json else _line(made))


@command.command("list")
@click.argument("stream")
@options()
def list_(*, stream: str, as_json: bool, **by: Any) -> None:
    """Show what is going to be posted on a stream.

    Example: touchline schedule list chat:wc26-final
    """
    for post in asyncio.run(schedule(**by).list(stream)):
        click.echo(json.dumps(post) if as_json else _line(post))


@command.command("remove")
@click.argument("stream")
@click.argument("id_", metavar="ID")
@options()
def remove(*, stream: str, id_: str, as_json: bool, **by: Any) -> None:
    """Do not post it.

    Example: touchline schedule remove chat:wc26-final doors
    """
    gone = asyncio.run(schedule(**by).remove(stream, id_))
    click.echo(json.dumps(gone) if as_json else f"{printable(id_)}: it is not posted")


def _object(text: str) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except ValueError as error:
        raise TouchlineError("bad_request", f"--data is not JSON: {error}.") from None
    if not isinstance(data, dict):
        raise TouchlineError("bad_request", "--data is not a JSON object.")
    return data


def _line(post: dict[str, Any]) -> str:
    text = post["data"].get("text") or json.dumps(post["data"])
    return f"{printable(post['id'])}  {post['at']}  {printable(post['type'])}  {printable(str(text))}"
