"""`touchline replay`: post the events of a file again, at their own pace."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kernel.errors import TouchlineError
from kernel.log.positions import Stream
from touchline.commands.events.publish import StreamName

if TYPE_CHECKING:
    from producers.pacing import Played
    from producers.recording import Recorded


@click.command("replay")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--stream", type=StreamName(), help="Where to; by default each event names its own.")
@click.option("--speed", default="1", show_default=True, help="How many times as fast; `max`: no waiting.")
@click.option(
    "--map", "columns", multiple=True, metavar="FIELD=COLUMN", help="Of a CSV file; may be repeated."
)
@click.option("--from", "start", type=click.IntRange(1), default=1, help="Begin at this line.")
@click.option("--resume", is_flag=True, help="Go on where the last replay of this file ended.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def command(
    *,
    file: Path,
    stream: Stream | None,
    speed: str,
    columns: tuple[str, ...],
    start: int,
    resume: bool,
    as_json: bool,
) -> None:
    """Post recorded events: NDJSON as `watch --json` prints it, or CSV.

    Each event without a key gets one made of the file's name and its line, so that a replay that broke off
    can be resumed with nothing doubled.

    \b
    Example: touchline watch chat:wc26-final --last 100 --json > final.ndjson
             touchline replay final.ndjson --stream chat:rerun --speed 10
             touchline replay gps.csv --stream location:user-7 --map lat=latitude --map lon=longitude
    """
    from kernel.clock import SystemClock
    from kernel.settings.reading import load_settings
    from producers.pacing import play
    from producers.producer import Producer
    from producers.recording import paced
    from touchline.terminal.progress import shown

    times = _speed(speed)
    bookmark = file.with_name(f".{file.name}.replayed")
    if resume and bookmark.exists():
        start = int(bookmark.read_text() or "0") + 1
    sent: list[int] = []

    def events() -> "Iterator[Recorded]":
        with ExitStack() as stack:
            for recorded in _read(stack, file, stream, _mapping(columns)):
                if recorded.number < start:
                    continue
                if recorded.post.key is None:
                    recorded.post.key = f"{file.name[-90:]}:{recorded.number}"
                sent.append(recorded.number)
                yield recorded

    def noted(played: "Played") -> None:
        bookmark.write_text(str(sent[played.position - 1]))
        advance(played.position)

    async def run() -> "Played":
        async with Producer(load_settings()) as producer:
            await producer.connected()
            return await play(producer, paced(events(), times), SystemClock(), on_progress=noted)

    with shown("replayed") as advance:
        played = asyncio.run(run())
    last_line = sent[-1] if sent else start - 1
    summary = {"delivered": played.delivered, "refused": played.failed, "last_line": last_line}
    counted = (
        f"{played.delivered} delivered, {played.failed} refused; the last line was {last_line}"
        if sent
        else f"Nothing to post: {file.name} has nothing behind line {last_line}."
        if last_line
        else f"Nothing to post: {file.name} is empty."
    )
    click.echo(json.dumps(summary) if as_json else counted)
    if played.failed:
        raise TouchlineError(
            "not_delivered", f"{played.failed} were refused; the first: {played.first_failure}"
        )


def _read(
    stack: ExitStack, file: Path, stream: Stream | None, columns: dict[str, str]
) -> "Iterator[Recorded]":
    from producers.recording import read_csv, read_ndjson

    if file.suffix.lower() == ".csv":
        return read_csv(stack.enter_context(file.open(encoding="utf-8-sig", newline="")), stream, columns)
    return read_ndjson(stack.enter_context(file.open("rb")), stream)


def _speed(text: str) -> float | None:
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed < 1e6:
        raise click.UsageError(f"--speed is {text!r}: it is a number above 0, or max.")
    return speed


def _mapping(columns: tuple[str, ...]) -> dict[str, str]:
    found = dict(column.split("=", 1) for column in columns if "=" in column)
    if len(found) < len(columns):
        raise click.UsageError("--map is FIELD=COLUMN, like text=comment.")
    return found
