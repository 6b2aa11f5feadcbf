"""`touchline react`: applause and reactions to events, and what they come to."""

import asyncio
import json
from typing import TYPE_CHECKING, Any

import click

from touchline.gateway_options import gateway_of, options
from touchline.terminal.printable import printable

if TYPE_CHECKING:
    from consumers.client.requests.crowd import Crowd


def crowd(gateway: str | None, token: str | None, user: str | None) -> "Crowd":
    """What one user does, at the gateway that is meant."""
    from consumers.client.requests.crowd import Crowd

    return Crowd(gateway_of(gateway), token=token, user=user)


@click.command("react")
@click.argument("stream")
@click.argument("emoji", required=False)
@click.option("--target", help="The event that it is to, by its id; without it is applause for the stream.")
@click.option("--off", is_flag=True, help="Take your reaction to the event back.")
@click.option("-n", "times", type=click.IntRange(1, 100), default=1, help="How many applauses.")
@click.option("--key", help="Of applause: sent again with the same key within ten minutes it counts once.")
@options()
def command(
    *,
    stream: str,
    emoji: str | None,
    target: str | None,
    off: bool,
    times: int,
    key: str | None,
    as_json: bool,
    **by: Any,
) -> None:
    """Applaud a stream, or react to an event of it. Without an emoji: show what reactions have come to.

    \b
    Example: touchline react chat:wc26-final 👏 -n 5
             touchline react chat:wc26-final 👍 --target 477000000000000000000001 --user ana
             touchline react chat:wc26-final
    """
    asyncio.run(_react(crowd(**by), stream, emoji, target, off, times, key, as_json=as_json))


async def _react(  # noqa: PLR0917
    asks: "Crowd",
    stream: str,
    emoji: str | None,
    target: str | None,
    off: bool,
    times: int,
    key: str | None,
    *,
    as_json: bool,
) -> None:
    if emoji is not None and target is not None:
        await asks.react(stream, emoji, target, off=off)
    elif emoji is not None:
        await asks.applaud(stream, emoji, n=times, key=key)
    found = await asks.totals(stream, target)
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
        return
    for name, count in sorted(found["totals"].items(), key=lambda row: -row[1]):
        click.echo(f"{printable(name)}  {count:,}{'  (you too)' if name in found['mine'] else ''}")
