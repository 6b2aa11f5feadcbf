"""`touchline inbox`: what somebody has not read, now and as it changes."""

import asyncio
import contextlib
import json
from typing import Any

import click

from touchline.commands.people.room import line_of, rooms_of


@click.command("inbox")
@click.option("--follow", is_flag=True, help="Go on with what changes.")
@click.option("--edge", "edge", help="Address of an edge, to follow; default: the one of the settings.")
@click.option("--url", "gateway", help="Address of a gateway; default: the one of the settings.")
@click.option("--token", envvar="TOUCHLINE_TOKEN", help="Token to show; also TOUCHLINE_TOKEN.")
@click.option("--user", help="Who you are, where there are no keys.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    *,
    follow: bool,
    edge: str | None,
    gateway: str | None,
    token: str | None,
    user: str | None,
    as_json: bool,
) -> None:
    """Show your rooms with what you have not read in each, the latest activity first.

    \b
    Example: touchline inbox --user bob
             touchline inbox --follow --user bob
    """

    def show(row: dict[str, Any]) -> None:
        if as_json:
            click.echo(json.dumps(row))
        elif row.get("gone"):
            click.echo(f"{row['room']} is yours no more.")
        else:
            click.echo(line_of(row))

    async def once() -> None:
        async for row in rooms_of(gateway, token, user).mine():
            show(row)

    async def on_and_on() -> None:
        from consumers.client.viewer import Viewer
        from kernel.settings.reading import load_settings
        from touchline.addresses import edge_url

        async with Viewer(edge or edge_url(load_settings()), token=token, user=user) as viewer:
            await viewer.connected(10)
            async for rows in viewer.inbox(limit=200):
                for row in rows:
                    show(row)

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(on_and_on() if follow else once())
