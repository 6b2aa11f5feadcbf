"""`touchline history`: a stream's past, to read or to export."""

import asyncio
import contextlib
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import click

from touchline import gateway_options
from touchline.terminal.results import write_table
from touchline.terminal.zones import zone_here

if TYPE_CHECKING:
    from consumers.client.requests.search import Search

_LAST: Final = 50


@click.command("history")
@click.argument("stream", metavar="STREAM")
@click.option("--last", type=click.IntRange(1, 1000), help=f"The last N events; by default {_LAST}.")
@click.option(
    "--after", type=click.IntRange(min=0), help="All events behind this seq; 0: from the beginning."
)
@click.option("--since", help="All events from this time on: 2h, yesterday, 2026-06-11, 19:30, or RFC 3339.")
@click.option("--before", type=click.IntRange(min=0), help="None from this seq on.")
@click.option("--around", type=click.IntRange(min=0), help="The event at this seq, and those around it.")
@click.option("--limit", "-n", type=click.IntRange(min=1), help="At most so many.")
@click.option("--csv", "as_csv", is_flag=True, help="All of it as CSV, or what the other options leave.")
@click.option("--raw", is_flag=True, help="Print control characters of texts and senders as they are.")
@gateway_options.options()
def command(
    *,
    stream: str,
    last: int | None,
    after: int | None,
    since: str | None,
    before: int | None,
    around: int | None,
    limit: int | None,
    as_csv: bool,
    raw: bool,
    as_json: bool,
    gateway: str | None,
    token: str | None,
    user: str | None,
) -> None:
    """Show a stream's past: the last events, those around one, or all of them, however many they are.

    With --csv or --json all events are written, a line an event; a connection that breaks is gone on with.

    \b
    Example: touchline history chat:wc26-final --last 20
             touchline history chat:wc26-final --csv > final.csv
             touchline history chat:wc26-final --since yesterday
             touchline history chat:wc26-final --json --after 8796093022208
    """
    from consumers.client.requests.search import Search, given_of, history_path

    if sum(one is not None for one in (last, after, since, around)) > 1:
        raise click.UsageError("Give one of --last, --after, --since and --around.")
    search, path = Search(gateway_options.gateway_of(gateway), token=token, user=user), history_path(stream)
    if since is not None:
        first = asyncio.run(_first(search, stream, since))
        if first is None:
            return
        after = first - 1
    show = _shown(as_json=as_json, raw=raw)
    paged = last is not None or around is not None or (after is None and not as_csv and not as_json)
    with contextlib.suppress(KeyboardInterrupt):
        if paged:
            if as_csv:
                raise click.UsageError("--csv goes with --after and --before.")
            place = {"around": around, "before": before if around is None else None}
            for event in asyncio.run(search.page(stream, **place, limit=limit or last or _LAST))["events"]:
                show(event)
            return
        given = given_of(None, {"after": after, "before": before, "limit": limit})
        if as_csv:
            write_table(search.table(path, given), raw=raw)
            return
        for line in search.lines(path, given):
            show(json.loads(line))


async def _first(search: "Search", stream: str, since: str) -> int | None:
    """The `seq` of the first event from this time on, as far as the index is; None: there is none."""
    kind, _, channel = stream.partition(":")
    asked = {"kind": kind, "channel": channel, "since": since, "zone": zone_here()}
    hits = (await search.find("", **asked, sort="oldest", limit=1))["hits"]
    return hits[0]["event"]["seq"] if hits else None


def _shown(*, as_json: bool, raw: bool) -> Callable[[dict[str, Any]], None]:
    from touchline.terminal.lines import event_line
    from touchline.terminal.printable import printable, printable_json

    fit: Callable[[str], str] = str if raw else printable_json if as_json else printable

    def show(event: dict[str, Any]) -> None:
        click.echo(fit(json.dumps(event, ensure_ascii=False)) if as_json else event_line(event, fit))

    return show
