"""`touchline room`: group chats, made, shown and changed by way of a gateway."""

import asyncio
import json
from collections.abc import Coroutine, Mapping
from typing import TYPE_CHECKING, Any

import click

from kernel.errors import TouchlineError
from touchline.gateway_options import gateway_of, options
from touchline.terminal.printable import printable

if TYPE_CHECKING:
    from consumers.client.requests.rooms import Rooms

_ROLES = ("owner", "moderator", "member")


@click.group("room")
def command() -> None:
    """Make and change rooms: group chats of up to 100 people.

    \b
    Example: touchline room create "Study group" --id study-1 --member bob --user ana
             touchline watch chat:room-study-1 --user bob
    """


_id = click.argument("room", metavar="ID")


def rooms_of(gateway: str | None, token: str | None, user: str | None) -> "Rooms":
    """The rooms of whoever asks."""
    from consumers.client.requests.rooms import Rooms

    return Rooms(gateway_of(gateway), token=token, user=user)


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
@options()
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
    rooms = rooms_of(gateway, token, user)
    asked = rooms.create(name, members=members, room=room, history=history, receipts=receipts or None)
    _tell(asked, as_json=as_json)


@command.command("list")
@options()
def list_(*, gateway: str | None, token: str | None, user: str | None, as_json: bool) -> None:
    """Show the rooms that you are in.

    Example: touchline room list --user ana
    """
    rooms = rooms_of(gateway, token, user)

    async def show() -> None:
        async for row in rooms.mine():
            if as_json:
                click.echo(json.dumps(row))
            else:
                click.echo(line_of(row))

    asyncio.run(show())


def line_of(row: Mapping[str, Any]) -> str:
    """A row of a list as a line."""
    marks = [f"{row['unread']} unread"] if row["unread"] else []
    marks += [f"{row['mentions']} mention you"] if row["mentions"] else []
    marks += ["muted"] if row["muted"] else []
    more = "".join(f"  {mark}" for mark in marks)
    return f"{row['room']}  {printable(row['name'])}  {row['role']}  {row['members']} members{more}"


@command.command("show")
@_id
@options()
def show(*, room: str, gateway: str | None, token: str | None, user: str | None, as_json: bool) -> None:
    """Show a room, and who is in it.

    Example: touchline room show study-1 --user ana
    """
    _tell(rooms_of(gateway, token, user).show(room), as_json=as_json)


@command.command("members")
@_id
@click.option("--add", multiple=True, help="Let somebody in; may be repeated.")
@click.option("--remove", multiple=True, help="Take somebody out; may be repeated.")
@click.option("--role", "roles", multiple=True, help="user=moderator, user=member or user=owner.")
@options()
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
    asked = rooms_of(gateway, token, user).members(room, add=add, remove=remove, roles=given)
    _tell(asked, as_json=as_json)


@command.command("change")
@_id
@click.option("--name", help="What people see of it.")
@click.option("--history", type=click.Choice(["all", "joined"]), help="What those see who join from now on.")
@click.option("--receipts/--no-receipts", default=None, help="Members see what others received and read.")
@options()
def change(
    *,
    room: str,
    name: str | None,
    history: str | None,
    receipts: bool | None,
    gateway: str | None,
    token: str | None,
    user: str | None,
    as_json: bool,
) -> None:
    """Change what is set for a room.

    Example: touchline room change study-1 --name "Study group 2" --receipts --user ana
    """
    asked = rooms_of(gateway, token, user).change(room, name=name, history=history, receipts=receipts)
    _tell(asked, as_json=as_json)


@command.command("mute")
@_id
@click.option("--off", is_flag=True, help="Have notifications again.")
@options()
def mute(
    *, room: str, off: bool, gateway: str | None, token: str | None, user: str | None, as_json: bool
) -> None:
    """Have no notifications of a room.

    Example: touchline room mute study-1 --user bob
    """
    told = asyncio.run(rooms_of(gateway, token, user).mute(room, on=not off))
    click.echo(json.dumps(told) if as_json else f"{room} is {'muted' if told['muted'] else 'not muted'}.")


@command.command("delete")
@_id
@options()
def delete(*, room: str, gateway: str | None, token: str | None, user: str | None, as_json: bool) -> None:
    """Delete a room.

    Example: touchline room delete study-1 --user ana
    """
    _tell(rooms_of(gateway, token, user).delete(room), as_json=as_json)
