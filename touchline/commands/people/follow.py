"""`touchline follow`: follow channels, and see which one follows, by way of a gateway."""

import asyncio
import json
from typing import TYPE_CHECKING, Any

import click

from touchline.gateway_options import gateway_of, options
from touchline.terminal.printable import printable

if TYPE_CHECKING:
    from consumers.client.requests.feeds import Feeds


def feeds(gateway: str | None, token: str | None, user: str | None) -> "Feeds":
    """What one user does, at the gateway that is meant."""
    from consumers.client.requests.feeds import Feeds

    return Feeds(gateway_of(gateway), token=token, user=user)


@click.command("follow")
@click.argument("channels", nargs=-1)
@click.option("--off", is_flag=True, help="Follow them no more.")
@click.option("--count", is_flag=True, help="Show how many follow them.")
@options()
def command(*, channels: tuple[str, ...], off: bool, count: bool, as_json: bool, **by: Any) -> None:
    """Follow channels; without any, list those that you follow.

    \b
    Example: touchline follow wc26-final --user ana
             touchline follow --user ana
             touchline follow wc26-final --off --user ana
    """

    async def show_all() -> None:
        async for row in feeds(**by).follows():
            since = f"{printable(row['channel'])}  since {row['since']}"
            click.echo(json.dumps(row) if as_json else since)

    async def each() -> None:
        mine = feeds(**by)
        for channel in channels:
            if count:
                number = await mine.followers(channel)
                said = {"channel": channel, "followers": number}
                click.echo(json.dumps(said) if as_json else f"{printable(channel)}: {number} followers")
            elif off:
                await mine.unfollow(channel)
                said = {"channel": channel, "since": None}
                click.echo(json.dumps(said) if as_json else f"{printable(channel)}: not followed any more")
            else:
                said = await mine.follow(channel)
                click.echo(json.dumps(said) if as_json else f"{printable(channel)}: followed")

    asyncio.run(each() if channels else show_all())
