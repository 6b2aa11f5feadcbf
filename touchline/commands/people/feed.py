"""`touchline feed`: what the channels post that one follows, now and as it comes."""

import asyncio
import contextlib
import json
from typing import Any

import click

from touchline.commands.people.follow import feeds
from touchline.gateway_options import options
from touchline.terminal.printable import printable, printable_json


@click.command("feed")
@click.option("--last", type=click.IntRange(0, 1000), default=20, show_default=True, help="How many events.")
@click.option("--before", help="Those before this id.")
@click.option("--watch", is_flag=True, help="Go on with what comes.")
@click.option("--edge", help="Address of an edge, to watch; default: the one of the settings.")
@options()
def command(
    *, last: int, before: str | None, watch: bool, edge: str | None, as_json: bool, **by: Any
) -> None:
    """Show what the channels have posted that you follow, the oldest first.

    \b
    Example: touchline feed --user ana
             touchline feed --watch --user ana
    """

    def show(event: dict[str, Any]) -> None:
        text = json.dumps(event["data"], ensure_ascii=False)
        if as_json:
            click.echo(printable_json(json.dumps(event, ensure_ascii=False)))
        else:
            click.echo(f"{event['server_ts']}  {event['stream']}  {event['type']}  {printable(text)[:200]}")

    async def once() -> None:
        events, _ = await feeds(**by).page(before=before, limit=max(1, last))
        for event in reversed(events):
            show(event)

    async def on_and_on() -> None:
        from consumers.client.requests.feeds import watch_feed
        from consumers.client.viewer import Viewer
        from kernel.settings.reading import load_settings
        from touchline.addresses import edge_url

        url = edge or edge_url(load_settings())
        async with Viewer(url, token=by["token"], user=by["user"]) as viewer:
            await viewer.connected(10)
            async for event in watch_feed(viewer, last=last):
                show(event)

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(on_and_on() if watch else once())
