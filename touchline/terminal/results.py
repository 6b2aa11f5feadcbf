"""Hits of a search on a terminal: what was found marked, what lies around it, counts as bars."""

import csv
import html
import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import click

from touchline.terminal.bars import histogram
from touchline.terminal.lines import event_line
from touchline.terminal.printable import printable

Fit = Callable[[str], str]
_FIELDS: Final = ("kind", "channel", "sender", "type", "mark")
_WIDEST: Final = 30


def show(answer: bytes, fit: Fit, around: Sequence[Sequence[Mapping[str, Any]]], *, counts: bool) -> None:
    """Print hits, with what lies around each where that was asked for; and what was counted."""
    found = json.loads(answer)
    for place, hit in enumerate(found["hits"]):
        line = _hit(hit, fit)
        if not around:
            click.echo(line)
            continue
        if place:
            click.echo("--")
        for event in around[place]:
            click.echo(line if event["seq"] == hit["event"]["seq"] else f"  {event_line(event, fit)}")
    if facets := found.get("facets"):
        _bars(facets, fit)
        if counts:
            _counted(facets, fit)
    if meant := found.get("did_you_mean"):
        click.echo(f"Did you mean: {fit(meant)}", err=True)
    more = f"; --cursor {found['next']} goes on" if found["next"] else ""
    click.echo(f"{found['total']} found in {found['took_ms']} ms{more}", err=True)


def write_table(rows: Iterable[Sequence[str]], *, raw: bool) -> None:
    """CSV; on a terminal without what would give it orders."""
    plain = raw or not sys.stdout.isatty()
    csv.writer(sys.stdout).writerows(rows if plain else ([printable(cell) for cell in row] for row in rows))


def with_context(answer: bytes, around: Sequence[Sequence[Mapping[str, Any]]]) -> bytes:
    """The answer, each hit with what lies around it as `context`."""
    found = json.loads(answer)
    for hit, events in zip(found["hits"], around, strict=True):
        hit["context"] = events
    return json.dumps(found, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _hit(hit: Mapping[str, Any], fit: Fit) -> str:
    event = hit["event"]
    plain = html.unescape(re.sub(r"</?mark>", "\0", hit["highlight"])).split("\0")
    parts = [fit(part) for part in plain]
    text = "".join(click.style(part, bold=True) if i % 2 else part for i, part in enumerate(parts))
    who = f" {fit(event['sender'])}" if event.get("sender") else ""
    if not text:
        text = fit(json.dumps(event["data"], ensure_ascii=False))
    return f"{click.style(event['server_ts'], dim=True)}  {fit(event['stream'])}{who}: {text}"


def _bars(facets: Mapping[str, Any], fit: Fit) -> None:
    bars = facets["histogram"]
    if len(bars) < 2:
        return
    line, each = histogram([bar["count"] for bar in bars], facets["bar_ms"])
    click.echo(f"\n{line}")
    totals: dict[str, int] = {}
    for bar in bars:
        for value, count in bar.get("by", {}).items():
            totals[value] = totals.get(value, 0) + count
    for value, total in sorted(totals.items(), key=lambda one: -one[1]):
        own, _ = histogram([bar.get("by", {}).get(value, 0) for bar in bars], facets["bar_ms"])
        click.echo(f"{own}  {fit(value)} {total}")
    click.echo(f"{bars[0]['start']} … {bars[-1]['start']}, a bar is {each}", err=True)


def _counted(facets: Mapping[str, Any], fit: Fit) -> None:
    previous = facets.get("previous")
    for name in _FIELDS:
        before = {one["value"]: one["count"] for one in previous["facets"].get(name, [])} if previous else {}
        for bucket in facets.get(name, []):
            was = f"  (before: {before.get(bucket['value'], 0)})" if previous else ""
            click.echo(f"{name:8} {fit(bucket['value'])[:_WIDEST]:{_WIDEST}} {bucket['count']:>9}{was}")
    if previous:
        click.echo(f"{previous['total']} from {previous['since']} to {previous['until']}")
    for word in facets.get("standout", []):
        click.echo(
            f"stands out  {fit(word['word'])[:_WIDEST]:{_WIDEST}} in {word['count']} of {word['of']};"
            f" of all else {word['background']} of {word['of_background']}"
        )
