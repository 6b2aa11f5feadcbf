"""`touchline moderate`: mute and ban, pin, and see what was reported, by way of a gateway."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import TYPE_CHECKING, Any

import click

from touchline.gateway_options import gateway_of, options
from touchline.terminal.printable import printable

if TYPE_CHECKING:
    from consumers.client.requests.moderation import Moderation


@click.group("moderate")
def command() -> None:
    """Mute and ban users in a channel or room, and see what was reported there.

    \b
    Example: touchline moderate mute wc26-final eve --for 10m
             touchline moderate ban room-study-1 eve --user ana
    """


def asker(gateway: str | None, token: str | None, by: str | None) -> "Moderation":
    """The SDK's, at the gateway of the settings where none is named."""
    from consumers.client.requests.moderation import Moderation

    return Moderation(gateway_of(gateway), token=token, user=by)


_channel = click.argument("channel")
_user = click.argument("user")
_for = click.option("--for", "for_", metavar="TIME", help="For how long: 30s, 10m, 12h, 7d.")


def _tell(asked: Coroutine[Any, Any, dict[str, Any]], *, as_json: bool) -> None:
    one = asyncio.run(asked)
    click.echo(json.dumps(one) if as_json else _line(one))


def _line(one: dict[str, Any]) -> str:
    said = [
        f"{what}{f' until {one[end]}' if end in one else ''}"
        for what, end in (("muted", "muted_until"), ("banned", "banned_until"))
        if one[what]
    ]
    return f"{printable(one['user'])}  {', '.join(said) or 'free'}"


@command.command("mute")
@_channel
@_user
@_for
@options("by")
def mute(
    *, channel: str, user: str, for_: str | None, gateway: str | None, token: str | None, by: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """A user may not publish in a channel.

    Example: touchline moderate mute wc26-final eve --for 10m
    """
    _tell(asker(gateway, token, by).mute(channel, user, for_=for_), as_json=as_json)


@command.command("unmute")
@_channel
@_user
@options("by")
def unmute(
    *, channel: str, user: str, gateway: str | None, token: str | None, by: str | None, as_json: bool
) -> None:
    """They may publish again.

    Example: touchline moderate unmute wc26-final eve
    """
    _tell(asker(gateway, token, by).unmute(channel, user), as_json=as_json)


@command.command("ban")
@_channel
@_user
@_for
@options("by")
def ban(
    *, channel: str, user: str, for_: str | None, gateway: str | None, token: str | None, by: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """A user may not read a channel either.

    Example: touchline moderate ban wc26-final eve
    """
    _tell(asker(gateway, token, by).ban(channel, user, for_=for_), as_json=as_json)


@command.command("unban")
@_channel
@_user
@options("by")
def unban(
    *, channel: str, user: str, gateway: str | None, token: str | None, by: str | None, as_json: bool
) -> None:
    """They may read it again.

    Example: touchline moderate unban wc26-final eve
    """
    _tell(asker(gateway, token, by).unban(channel, user), as_json=as_json)


@command.command("list")
@_channel
@options("by")
def list_(*, channel: str, gateway: str | None, token: str | None, by: str | None, as_json: bool) -> None:
    """Show who is muted or banned in a channel.

    Example: touchline moderate list wc26-final
    """
    _each(asker(gateway, token, by).sanctioned(channel), _line, as_json=as_json)


@command.command("reports")
@click.argument("stream")
@options("by")
def reports(*, stream: str, gateway: str | None, token: str | None, by: str | None, as_json: bool) -> None:
    """Show what was reported in a stream, the latest first.

    Example: touchline moderate reports chat:wc26-final
    """

    def line(one: dict[str, Any]) -> str:
        text = ((one["event"] or {}).get("data") or {}).get("text") or "(taken back)"
        mark = "done" if one["done"] else "open"
        said = f"{printable(one['user'])}: {printable(one['reason'])}"
        return f"{one['report']}  {mark}  {one['at']}  {said}\n  {printable(text)}"

    _each(asker(gateway, token, by).reports(stream), line, as_json=as_json)


@command.command("report")
@click.argument("stream")
@click.argument("target", metavar="ID")
@click.argument("reason")
@options("by")
def report(
    *, stream: str, target: str, reason: str, gateway: str | None, token: str | None, by: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Report a message, by its id, to those who moderate the channel.

    Example: touchline moderate report chat:room-study-1 493682968118503665565696 rude --user bob
    """
    asyncio.run(asker(gateway, token, by).report(stream, target, reason))
    click.echo(json.dumps({"target": target, "reported": True}) if as_json else "It is reported.")


@command.command("done")
@click.argument("stream")
@click.argument("number", type=int, nargs=-1, required=True)
@click.option("--not", "undone", is_flag=True, help="They wait for a moderator again.")
@options("by")
def done(
    *, stream: str, number: tuple[int, ...], undone: bool, gateway: str | None, token: str | None,
    by: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Say of reports, by their numbers, that they need nothing more.

    Example: touchline moderate done chat:wc26-final 12 13
    """
    asyncio.run(asker(gateway, token, by).settle(stream, *number, done=not undone))
    click.echo(json.dumps({"reports": number, "done": not undone}) if as_json else "It is in force.")


@command.command("words")
@_channel
@click.argument("text", nargs=-1, required=True)
@click.option("--blocked", multiple=True, metavar="WORD", help="Instead of those that are set.")
@options("by")
def words(
    *, channel: str, text: tuple[str, ...], blocked: tuple[str, ...], gateway: str | None,
    token: str | None, by: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Try out which texts a channel's blocked words would refuse.

    Example: touchline moderate words wc26-final "no spoilers" --blocked spoilers
    """
    found = asyncio.run(asker(gateway, token, by).try_words(channel, *text, blocked=list(blocked) or None))
    if as_json:
        click.echo(json.dumps({"found": found}))
        return
    for one, has in zip(text, found, strict=True):
        said = f"refused for {', '.join(map(printable, has))}" if has else "let in"
        click.echo(f"{said}: {printable(one)}")


@command.command("pin")
@_channel
@click.argument("target", metavar="ID")
@options("by")
def pin(
    *, channel: str, target: str, gateway: str | None, token: str | None, by: str | None, as_json: bool
) -> None:
    """Keep a message of a channel's chat, by its id, in view: one at a time.

    Example: touchline moderate pin wc26-final 493682968118503665565696
    """
    asyncio.run(asker(gateway, token, by).pin(channel, target))
    click.echo(json.dumps({"target": target, "pinned": True}) if as_json else "It is pinned.")


@command.command("unpin")
@_channel
@click.argument("target", metavar="ID")
@options("by")
def unpin(
    *, channel: str, target: str, gateway: str | None, token: str | None, by: str | None, as_json: bool
) -> None:
    """It need not be in view any more.

    Example: touchline moderate unpin wc26-final 493682968118503665565696
    """
    asyncio.run(asker(gateway, token, by).unpin(channel, target))
    click.echo(json.dumps({"target": target, "pinned": False}) if as_json else "It is not pinned any more.")


def _each(
    rows: AsyncIterator[dict[str, Any]], line: Callable[[dict[str, Any]], str], *, as_json: bool
) -> None:
    async def show() -> None:
        async for row in rows:
            click.echo(json.dumps(row) if as_json else line(row))

    asyncio.run(show())
