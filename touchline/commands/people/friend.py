"""`touchline friend`: friends and consent, by way of a gateway."""

import asyncio
import json
from typing import TYPE_CHECKING, Any

import click

from touchline.gateway_options import gateway_of, options
from touchline.terminal.printable import printable

if TYPE_CHECKING:
    from consumers.client.requests.nearby import Nearby


def nearby(gateway: str | None, token: str | None, user: str | None) -> "Nearby":
    """What one user does, at the gateway that is meant."""
    from consumers.client.requests.nearby import Nearby

    return Nearby(gateway_of(gateway), token=token, user=user)


@click.group("friend")
def command() -> None:
    """Ask for friendship, list friends, and say who may see where you are.

    \b
    Example: touchline friend ask bob --user ana
             touchline friend share on --user ana
    """


@command.command("ask")
@click.argument("friend")
@options()
def ask(*, friend: str, as_json: bool, **by: Any) -> None:
    """Ask somebody for friendship, or say yes to it.

    Example: touchline friend ask bob --user ana
    """
    found = asyncio.run(nearby(**by).ask(friend))
    click.echo(json.dumps(found) if as_json else f"{printable(found['user'])}: {found['state']}")


@command.command("end")
@click.argument("friend")
@options()
def end(*, friend: str, as_json: bool, **by: Any) -> None:
    """End a friendship, or a wish for it.

    Example: touchline friend end bob --user ana
    """
    asyncio.run(nearby(**by).end(friend))
    click.echo(json.dumps({"user": friend, "state": None}) if as_json else f"{printable(friend)}: no friend")


@command.command("list")
@options()
def list_(*, as_json: bool, **by: Any) -> None:
    """Show your friends, whom you have asked (asked), and who asks you (asking).

    Example: touchline friend list --user ana
    """

    async def show() -> None:
        async for row in nearby(**by).friends():
            if as_json:
                click.echo(json.dumps(row))
            else:
                click.echo(f"{printable(row['user'])}  {row['state']}  since {row['since']}")

    asyncio.run(show())


@command.command("share")
@click.argument("what", type=click.Choice(["on", "public", "off"]), required=False)
@options()
def share(*, what: str | None, as_json: bool, **by: Any) -> None:
    """Say who may see where you are: friends (on), anybody, coarsely (public), or nobody (off).

    Example: touchline friend share on --user ana
    """
    asked = nearby(**by)
    now = asyncio.run(
        asked.sharing() if what is None else asked.share(on=what != "off", public=what == "public")
    )
    said = "anybody, coarsely" if now["on"] and now["public"] else "friends" if now["on"] else "nobody"
    click.echo(json.dumps(now) if as_json else f"Where you are is seen by: {said}")
