"""`touchline nearby`: which friends are near, and whatever changes, on a WebSocket of one's own."""

import asyncio
import json
from collections.abc import Mapping
from contextlib import aclosing
from typing import Any

import click

from touchline.commands.people.fence import place_of
from touchline.terminal.printable import printable


@click.command("nearby")
@click.argument("place", metavar="LAT,LON")
@click.option("--within", help="How far is near: 5mi, 800m.  [default: the setting nearby.radius]")
@click.option("--locate", is_flag=True, help="Say that you are there, too.")
@click.option("--for", "seconds", type=click.FloatRange(0), help="Stop after so many seconds.")
@click.option("--user", help="Who you are, where there are no keys.")
@click.option("--token", envvar="TOUCHLINE_TOKEN", help="Token to show; also TOUCHLINE_TOKEN.")
@click.option("--url", help="Address of an edge; default: the one of the settings.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(*, place: str, as_json: bool, **given: Any) -> None:
    """Show which friends are near, and who comes, moves and goes (Ctrl-C ends it).

    \b
    Example: touchline nearby 40.758,-73.9855 --within 5mi --user ana
             touchline nearby 40.758,-73.9855 --locate --user bob
    """
    asyncio.run(_watch(place_of(place), as_json=as_json, **given))


async def _watch(
    place: tuple[float, float],
    *,
    within: str | None,
    locate: bool,
    seconds: float | None,
    user: str | None,
    token: str | None,
    url: str | None,
    as_json: bool,
) -> None:
    from consumers.client.requests import nearby as near
    from consumers.client.viewer import Viewer
    from kernel.settings.reading import load_settings
    from touchline.addresses import edge_url

    async with Viewer(url or edge_url(load_settings()), token=token, user=user) as viewer:
        await viewer.connected(10)
        if locate:
            await near.locate(viewer, *place)
        try:
            async with (
                asyncio.timeout(seconds),
                aclosing(near.watch_nearby(viewer, *place, within=within)) as changes,
            ):
                async for change in changes:
                    click.echo(json.dumps(change) if as_json else _said(change))
        except TimeoutError:
            return


def _said(change: Mapping[str, Any]) -> str:
    if change["op"] == "again":
        return "The connection was lost; from here on:"
    user = printable(str(change["user"]))
    if change["op"] == "away":
        return f"{user}  away ({change['reason']})"
    return f"{user}  {change['distance_m']:.0f} m  {change['lat']:.5f},{change['lon']:.5f}  {change['at']}"
