"""`touchline webhook`: where events are posted to, by way of a gateway."""

import asyncio
import json
from typing import Any

import click

from touchline.commands.people.follow import feeds
from touchline.gateway_options import options
from touchline.terminal.printable import printable


@click.group("webhook")
def command() -> None:
    """Have events posted to other systems, in the form of Standard Webhooks.

    \b
    Example: touchline webhook set results https://example.com/hook --stream "broadcast:wc26-*"
             touchline webhook list
    """


@command.command("set")
@click.argument("id_", metavar="ID")
@click.argument("url")
@click.option("--stream", "streams", multiple=True, help="A pattern of streams; repeat it for more.")
@click.option("--of", "users", multiple=True, help="A user whose notifications are posted, instead.")
@click.option("--type", "types", multiple=True, help="Only events of this type; repeat it for more.")
@click.option("--secret", envvar="TOUCHLINE_WEBHOOK_SECRET", help="whsec_ and base64; without: made up.")
@options()
def set_(*, id_: str, url: str, as_json: bool, secret: str | None, **more: Any) -> None:
    """Make a webhook, or change it. A secret that is made up is shown this once.

    Example: touchline webhook set results https://example.com/hook --stream "broadcast:wc26-*"
    """
    lists = {name: more.pop(name) for name in ("streams", "users", "types")}
    made = asyncio.run(feeds(**more).set_webhook(id_, url, secret=secret, **lists))
    if as_json:
        click.echo(json.dumps(made))
        return
    click.echo(_line(made))
    if "secret" in made:
        click.echo(f"Its secret, shown only now: {made['secret']}")


@command.command("list")
@options()
def list_(*, as_json: bool, **by: Any) -> None:
    """Show the webhooks of what you administer.

    Example: touchline webhook list
    """
    for webhook in asyncio.run(feeds(**by).webhooks()):
        click.echo(json.dumps(webhook) if as_json else _line(webhook))


@command.command("remove")
@click.argument("id_", metavar="ID")
@options()
def remove(*, id_: str, as_json: bool, **by: Any) -> None:
    """Post nothing more there.

    Example: touchline webhook remove results
    """
    asyncio.run(feeds(**by).remove_webhook(id_))
    click.echo(json.dumps({"id": id_}) if as_json else f"{printable(id_)}: nothing is posted there any more")


@command.command("retry")
@click.argument("id_", metavar="ID")
@options()
def retry(*, id_: str, as_json: bool, **by: Any) -> None:
    """Try again now what a receiver has not taken.

    Example: touchline webhook retry results
    """
    asyncio.run(feeds(**by).retry_webhook(id_))
    click.echo(json.dumps({"id": id_}) if as_json else f"{printable(id_)}: tried again")


def _line(webhook: dict[str, Any]) -> str:
    of = ", ".join(webhook.get("streams") or webhook.get("users") or [])
    ended = "" if webhook["active"] else "  (it has answered 410: set it again to go on)"
    return f"{printable(webhook['id'])}  {printable(webhook['url'])}  {printable(of)}{ended}"
