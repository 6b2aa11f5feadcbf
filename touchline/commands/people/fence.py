"""`touchline fence`: places that watch, made, shown and taken away by way of a gateway."""

import asyncio
import json
from typing import Any

import click

from kernel.errors import TouchlineError
from touchline.commands.people.friend import nearby
from touchline.gateway_options import options
from touchline.terminal.printable import printable


@click.group("fence")
def command() -> None:
    """Have places watch who comes and goes: each has a stream of its own.

    \b
    Example: touchline fence set home --at 40.758,-73.9855 --radius 100 --user ana
             touchline watch broadcast:fence-home --user ana
    """


def _tell(fence: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(fence))
        return
    place = f"{len(fence.get('polygon', ()))} corners"
    if "radius_m" in fence:
        place = f"{fence['radius_m']:g} m around {fence['lat']:g},{fence['lon']:g}"
    click.echo(f"{fence['id']}  {fence['stream']}  {place}  of {printable(fence['maker'] or 'an operator')}")


def place_of(text: str) -> tuple[float, float]:
    lat, comma, lon = text.partition(",")
    try:
        if comma:
            return float(lat), float(lon)
    except ValueError:
        pass
    raise TouchlineError("bad_request", f"{text[:60]!r} is no place: write latitude,longitude: 40.7,-74.0.")


@command.command("set")
@click.argument("id_", metavar="ID")
@click.option("--at", "centre", help="A circle's centre: latitude,longitude.")
@click.option("--radius", type=float, help="A circle's radius, in metres.")
@click.option("--corner", "corners", multiple=True, help="A polygon's corner: latitude,longitude; repeated.")
@click.option("--watch", "users", multiple=True, help="Whom it watches; without: all whom you may see.")
@click.option("--reader", "readers", multiple=True, help="Who may read its stream beside you; repeated.")
@options()
def set_(
    *,
    id_: str,
    centre: str | None,
    radius: float | None,
    corners: tuple[str, ...],
    users: tuple[str, ...],
    readers: tuple[str, ...],
    as_json: bool,
    **by: Any,
) -> None:
    """Make a fence, or change it.

    \b
    Example: touchline fence set home --at 40.758,-73.9855 --radius 100 --user ana
             touchline fence set park --corner 40.8,-73.9 --corner 40.8,-73.8 --corner 40.7,-73.9
    """
    lat, lon = place_of(centre) if centre is not None else (None, None)
    asked = nearby(**by).set_fence(
        id_,
        lat=lat,
        lon=lon,
        radius_m=radius,
        polygon=[place_of(corner) for corner in corners],
        users=users,
        readers=readers,
    )
    _tell(asyncio.run(asked), as_json=as_json)


@command.command("show")
@click.argument("id_", metavar="ID")
@options()
def show(*, id_: str, as_json: bool, **by: Any) -> None:
    """Show a fence that you may know of.

    Example: touchline fence show home --user ana
    """
    _tell(asyncio.run(nearby(**by).fence(id_)), as_json=as_json)


@command.command("list")
@options()
def list_(*, as_json: bool, **by: Any) -> None:
    """Show the fences that you have made.

    Example: touchline fence list --user ana
    """

    async def show_all() -> None:
        async for fence in nearby(**by).fences():
            _tell(fence, as_json=as_json)

    asyncio.run(show_all())


@command.command("remove")
@click.argument("id_", metavar="ID")
@options()
def remove(*, id_: str, as_json: bool, **by: Any) -> None:
    """Have it watch no more.

    Example: touchline fence remove home --user ana
    """
    fence = asyncio.run(nearby(**by).remove_fence(id_))
    if as_json:
        _tell(fence, as_json=True)
    else:
        click.echo(f"{id_} watches no more.")
