"""`touchline room`: group chats, made, shown and changed by way of a gateway."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

import click

from kernel.errors import TouchlineError
from touchline.printable import printable

if TYPE_CHECKING:
    from consumers.client.rooms import Rooms

F = TypeVar("F", bound=Callable[..., Any])
_ROLES = ("owner", "moderator", "member")


@click.group("room")
def command() -> None:
    """Make and change rooms: group chats of up to 100 people.

    \b
    Example: touchline room create "Study group" --id study-1 --member bob --user ana
             touchline watch chat:room-study-1 --user bob
    """


def _options(function: F) -> F:
    """Who asks, and where."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print JSON."),
        click.option("--user", help="Who you are, where there are no keys."),
        click.option("--token", envvar="TOUCHLINE_TOKEN", help="Token to show; also TOUCHLINE_TOKEN."),
        click.option("--url", "gateway", help="Address of a gateway; default: the one of the settings."),
    ):
        function = option(function)
    return function


_id = click.argument("room", metavar="ID")


def _rooms(gateway: str | None, token: str | None, user: str | None) -> "Rooms":
    from consumers.client.rooms import Rooms
    from kernel.settings.reading import load_settings

    if gateway is None:
        given = load_settings().gateway
        gateway = given.public_url or f"http://127.0.0.1:{given.port}"
    return Rooms(gateway, token=token, user=user)


def _tell(asked: Coroutine[Any, Any, dict[str, Any]], *, as_json: bool) -> None:
    room = asyncio.run(asked)
    if as_json:
        click.echo(json.dumps(room))
        return
    if room.get("deleted"):
        click.echo(f"{room['room']} is no more.")
        return
    click.echo(f"{printable(room['name'])}  {room['stream']}  history: {room['history']}")
    for one in room["members"]:
        click.echo(f"  {printable(one['user'])}  {one['role']}")


@command.command("create")
@click.argument("name")
@click.option("--id", "room", help="Its id; one is made up without.")
@click.option("--member", "members", multiple=True, help="Who is in it; may be repeated.")
@click.option("--history", type=click.Choice(["all", "joined"]), help="What those see who join later.")
@click.option("--receipts", is_flag=True, help="Members see what others have received and read.")
@_options
def create(
    *,
    name: str,
    room: str | None,
    members: tuple[str, ...],
    history: str | None,
    receipts: bool,
    gateway: str | None,
    token: str | None,
    user: str | None,
    as_json: bool,
) -> None:
    """Make a room; you are its owner (as operator, the first member is).

    \b
    Example: touchline room create "Study group" --id study-1 --member bob --user ana
    """
    rooms = _rooms(gateway, token, user)
    asked = rooms.create(name, members=members, room=room, history=history, receipts=receipts or None)
    _tell(asked, as_json=as_json)


@command.command("list")
@_options
def list_(*, gateway: str | None, token: str | None, user: str | None, as_json: bool) -> None:
    """Show the rooms that you are in.

    Example: touchline room list --user ana
    """
    rooms = _rooms(gateway, token, user)

    async def show() -> None:
        async for row in rooms.mine():
            if as_json:
                click.echo(json.dumps(row))
            else:
                muted = "  muted" if row["muted"] else ""
                click.echo(
                    f"{row['room']}  {printable(row['name'])}  {row['role']}  {row['members']} members{muted}"
                )

    asyncio.run(show())


@command.command("show")
@_id
@_options
def show(*, room: str, gateway: str | None, token: str | None, user: str | None, as_json: bool) -> None:
    """Show a room, and who is in it.

    Example: touchline room show study-1 --user ana
    """
    _tell(_rooms(gateway, token, user).show(room), as_json=as_json)


@command.command("members")
@_id
@click.option("--add", multiple=True, help="Let somebody in; may be repeated.")
@click.option("--remove", multiple=True, help="Take somebody out; may be repeated.")
@click.option("--role", "roles", multiple=True, help="user=moderator, user=member or user=owner.")
@_options
def members(
    *,
    room: str,
    add: tuple[str, ...],
    remove: tuple[str, ...],
    roles: tuple[str, ...],
    gateway: str | None,
    token: str | None,
    user: str | None,
    as_json: bool,
) -> None:
    """Take people out of a room, add others, give roles.

    \b
    Example: touchline room members study-1 --add cat --role bob=moderator --user ana
             touchline room members study-1 --remove ana --user ana
    """
    given = {}
    for text in roles:
        name, _, role = text.rpartition("=")
        if not name or role not in _ROLES:
            raise TouchlineError("bad_request", f"{text[:80]!r} is no role: write user=moderator.")
        given[name] = role
    asked = _rooms(gateway, token, user).members(room, add=add, remove=remove, roles=given)
    _tell(asked, as_json=as_json)


@command.command("delete")
@_id
@_options
def delete(*, room: str, gateway: str | None, token: str | None, user: str | None, as_json: bool) -> None:
    """Delete a room.

    Example: touchline room delete study-1 --user ana
    """
    _tell(_rooms(gateway, token, user).delete(room), as_json=as_json)
