"""`touchline user`: devices of a user, the end of their connections, and all that is known of them."""

import asyncio
import json

import click

from touchline.commands.people.moderate import asker
from touchline.commands.people.room import rooms_of
from touchline.gateway_options import options
from touchline.terminal.printable import printable


@click.group("user")
def command() -> None:
    """A user's devices, connections and data.

    \b
    Example: touchline user devices --user ana
             touchline user disconnect ana
             touchline user export ana > ana.ndjson
    """


@command.command("devices")
@options("by")
def devices(*, gateway: str | None, token: str | None, by: str | None, as_json: bool) -> None:
    """Show your devices of the last 30 days, the latest first.

    Example: touchline user devices --user ana
    """
    for one in asyncio.run(rooms_of(gateway, token, by).devices()):
        click.echo(json.dumps(one) if as_json else f"{printable(one['device'])}  {one['last_active']}")


@command.command("signout")
@click.argument("device")
@options("by")
def signout(*, device: str, gateway: str | None, token: str | None, by: str | None, as_json: bool) -> None:
    """Sign one of your devices out: its connections end, and what it has received is forgotten.

    Example: touchline user signout phone --user ana
    """
    asyncio.run(rooms_of(gateway, token, by).sign_out(device))
    click.echo(json.dumps({"device": device}) if as_json else f"{printable(device)} is signed out.")


@command.command("disconnect")
@click.argument("user")
@options("by")
def disconnect(*, user: str, gateway: str | None, token: str | None, by: str | None, as_json: bool) -> None:
    """End all connections of a user: for admin.

    Example: touchline user disconnect ana
    """
    asyncio.run(rooms_of(gateway, token, by).disconnect(user))
    click.echo(json.dumps({"user": user}) if as_json else f"The connections of {printable(user)} end.")


@command.command("export")
@click.argument("user")
@options("by")
def export(*, user: str, gateway: str | None, token: str | None, by: str | None, as_json: bool) -> None:  # noqa: ARG001 - it is JSON anyhow
    """Print all that is known of a user as JSON, a line each.

    Example: touchline user export ana --user ana > ana.ndjson
    """

    async def show() -> None:
        async for line in asker(gateway, token, by).export(user):
            click.echo(json.dumps(line, ensure_ascii=False))

    asyncio.run(show())


@command.command("erase")
@click.argument("user")
@options("by")
def erase(*, user: str, gateway: str | None, token: str | None, by: str | None, as_json: bool) -> None:
    """Take back all that a user has posted, and say what stays on the log.

    Example: touchline user erase ana
    """
    answer = asyncio.run(asker(gateway, token, by).erase(user))
    if as_json:
        click.echo(json.dumps(answer))
        return
    click.echo(f"Nobody is shown any more what {user!r} posted up to {answer['erased_until']}.")
    for one in answer["stays"]:
        until = f"until {one['until']}" if one["until"] else "until they end it"
        click.echo(f"  stays {until}: {one['what']}{' (' + one['topic'] + ')' if 'topic' in one else ''}")
