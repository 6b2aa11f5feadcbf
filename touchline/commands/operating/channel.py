"""`touchline channel`: show a channel, change its settings, spread its viewers over more shards."""

import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from kernel.errors import TouchlineError
from kernel.settings.reading import Settings, load_settings
from touchline import gateway_options

if TYPE_CHECKING:
    from control.channels.channel import ChannelRecord

#: How long a command waits for the worker that carries it out.
_WAIT_S = 20.0


@click.group("channel")
def command() -> None:
    """Show or change a channel.

    Example: touchline channel show wc26-final
    """


@command.command("list")
@click.option("--live", is_flag=True, help="Only what somebody watches now.")
@click.option("--prefix", default="", help="Only channels whose names begin so.")
@click.option(
    "--sort",
    type=click.Choice(("name", "viewers", "activity")),
    default="name",
    show_default=True,
    help="By name, most viewers first, or where something happened last.",
)
@click.option("--limit", "-n", type=click.IntRange(1), help="At most so many; by default all, by name.")
@gateway_options.options()
def list_(
    *,
    live: bool,
    prefix: str,
    sort: str,
    limit: int | None,
    gateway: str | None,
    token: str | None,
    user: str | None,
    as_json: bool,
) -> None:
    """List the channels that you may read, with their viewers and when something last happened there.

    \b
    Example: touchline channel list --sort viewers
             touchline channel list --prefix wc26- --json
    """
    import asyncio

    from consumers.client.requests.search import Search

    async def all_of_them() -> None:
        search, number = Search(gateway_options.gateway_of(gateway), token=token, user=user), 0
        async for row in search.channels(live=live, prefix=prefix, sort=sort):
            number += 1
            last = row["last"] or "nothing yet"
            line = json.dumps(row) if as_json else f"{row['channel']:40} {row['viewers']:>8}  {last}"
            click.echo(line)
            if number == limit:
                return

    asyncio.run(all_of_them())


@command.command()
@click.argument("channel")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(channel: str, *, as_json: bool) -> None:
    """Show a channel's settings and the versions of its sharding.

    Example: touchline channel show wc26-final --json
    """
    settings = load_settings()
    _print(_read(settings, _named(channel)), as_json=as_json)


@command.command("set")
@click.argument("channel")
@click.argument("pairs", nargs=-1, required=True, metavar="NAME=VALUE…")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def set_(channel: str, pairs: tuple[str, ...], *, as_json: bool) -> None:
    """Change a channel's settings; VALUE is JSON, or plain text. `null` takes a setting back.

    They hold within two seconds, for the channel's lanes too.

    \b
    Example: touchline channel set wc26-final slow_s=5 'blocked=["spoiler"]'
             touchline channel set lobby retention=day
    """
    from control.channels.retention import check_class
    from kernel.clock import to_rfc3339

    arguments = dict(_pair(text) for text in pairs)
    settings = load_settings()
    if isinstance(retention := arguments.get("retention"), str):  # of another type: refused with the others
        check_class(settings.indexer, retention)
    if isinstance(language := arguments.get("language"), str):
        from search_indexer.text.by_channel import check_language

        check_language(settings.elasticsearch.language, language)

    def done(record: "ChannelRecord") -> bool:
        from control.channels.commands import changed_settings

        return changed_settings(record, arguments) == record.settings

    record = _command(settings, _named(channel), "set_channel", arguments, done)
    _print(record, as_json=as_json)
    if not as_json and record.settings_since:
        click.echo(f"These settings hold from {to_rfc3339(record.settings_since)} on: within two seconds.")


@command.command()
@click.argument("channel")
@click.option("--shards", type=click.IntRange(1, 256), required=True, help="How many shards.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def reshard(channel: str, *, shards: int, as_json: bool) -> None:
    """Give a channel a version with so many shards, beside the one it has; viewers move over by themselves.

    Example: touchline channel reshard wc26-final --shards 4
    """
    settings = load_settings()
    record = _command(
        settings, _named(channel), "reshard", {"shards": shards}, lambda r: r.newest.shards == shards
    )
    _print(record, as_json=as_json)


def _named(channel: str) -> str:
    from schemas.checks import check_channel

    check_channel(channel)
    return channel


def _pair(text: str) -> tuple[str, Any]:
    from control.channels.bounds import SETTINGS

    name, equals, value = text.partition("=")
    if not equals or name not in SETTINGS:
        raise click.UsageError(f"{text!r} is not NAME=VALUE with a NAME of: {', '.join(SETTINGS)}.")
    try:
        return name, json.loads(value)
    except (ValueError, RecursionError):
        return name, value


def _read(settings: Settings, channel: str) -> "ChannelRecord":
    from control.topic_tables.snapshot import read_channel
    from kernel.clock import SystemClock

    record = read_channel(settings, SystemClock(), channel)
    if record is None:
        raise TouchlineError(
            "not_found",
            f"There is no channel {channel} yet.",
            hint="Its first event makes it, and so does `touchline channel set`.",
        )
    return record


def _command(
    settings: Settings,
    channel: str,
    name: str,
    arguments: dict[str, Any],
    done: Callable[["ChannelRecord"], bool],
) -> "ChannelRecord":
    """Give the command, and wait until the channel's record says that it is carried out."""
    from control.channels.channel import ChannelRecord
    from control.commands.checks import check_change, check_command
    from control.commands.sending import send_command
    from control.topic_tables.snapshot import read_channel
    from kernel.clock import SystemClock

    clock = SystemClock()
    check_command(channel, name, arguments)
    known = read_channel(settings, clock, channel) or ChannelRecord(channel=channel)
    check_change(known, name, arguments, clock.now_ms())
    send_command(settings, clock, channel, name, arguments)
    deadline = time.monotonic() + _WAIT_S
    while time.monotonic() < deadline:
        record = read_channel(settings, clock, channel) or ChannelRecord(channel=channel)
        if done(record):
            return record
        time.sleep(0.2)
    raise TouchlineError(
        "unavailable",
        "The command is on touchline.changes, but no worker has carried it out yet.",
        hint="Is `touchline stream` running? `touchline channel show` tells when it is done.",
    )


def _print(record: "ChannelRecord", *, as_json: bool) -> None:
    import msgspec

    shown = msgspec.to_builtins(record)
    if as_json:
        click.echo(json.dumps(shown))
        return
    click.echo(f"channel   {record.channel}")
    for version in record.versions:
        state = "retired" if version.until is not None else "live"
        click.echo(f"version   {version.version}: {version.shards} shards, {state}")
    for name, value in shown["settings"].items():
        click.echo(f"{name:20} {json.dumps(value)}")
