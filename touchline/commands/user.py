"""`touchline user`: all that is known of a user, and all of it taken back, by way of a gateway."""

import asyncio
import json

import click

from touchline.commands.moderate import asker, options


@click.group("user")
def command() -> None:
    """Export or erase what is known of a user.

    \b
    Example: touchline user export ana > ana.ndjson
             touchline user erase ana
    """


@command.command("export")
@click.argument("user")
@options
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
@options
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
