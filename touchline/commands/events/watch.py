"""`touchline watch`: show the events of streams as they happen."""

import asyncio
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import click

from kernel.settings.reading import load_settings
from touchline.terminal.lines import event_line
from touchline.terminal.printable import printable, printable_json

if TYPE_CHECKING:
    from consumers.client.viewer import Gap, Start, Viewer
    from schemas.events import Event

_EDGE_S: Final = 5.0
#: Events that are read at once.
_PAGE: Final = 500


class Duration(click.ParamType):
    """`10s`, `5m`, `1h`, or seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        unit = {"s": 1.0, "m": 60.0, "h": 3600.0}.get(value[-1:])
        try:
            return float(value[:-1]) * unit if unit else float(value)
        except ValueError:
            self.fail(f"{value!r} is not a duration: write 10s, 5m or 1h", param, ctx)


@click.command("watch")
@click.argument("streams", nargs=-1, required=True, metavar="STREAM…")
@click.option("--after", type=click.IntRange(min=0), help="Start behind this seq; 0 is the beginning.")
@click.option("--last", type=click.IntRange(min=0, max=1000), help="Show the last N events first.")
@click.option("--for", "for_s", type=Duration(), help="Stop after this time, like 10s.")
@click.option("--count", type=click.IntRange(min=1), help="Stop after so many events.")
@click.option("--no-follow", is_flag=True, help="Stop where there is nothing newer now.")
@click.option("--url", help="Address of an edge; default: the one of the settings.")
@click.option("--token", envvar="TOUCHLINE_TOKEN", help="Token to show; also TOUCHLINE_TOKEN.")
@click.option("--user", help="Who you are, where there are no keys.")
@click.option("--raw", is_flag=True, help="Print control characters of texts and senders as they are.")
@click.option("--json", "as_json", is_flag=True, help="Print each event as a line of JSON.")
def command(
    *,
    streams: tuple[str, ...],
    after: int | None,
    last: int | None,
    for_s: float | None,
    count: int | None,
    no_follow: bool,
    url: str | None,
    token: str | None,
    user: str | None,
    raw: bool,
    as_json: bool,
) -> None:
    """Show the events of streams as they happen.

    \b
    Example: touchline watch chat:wc26-final --last 10
             touchline watch chat:wc26-final --after 0 --no-follow --json
    """
    from consumers.client.viewer import Start, Viewer
    from kernel.log.positions import Stream
    from kernel.process.logs import setup_logs
    from touchline.addresses import edge_url

    if after is not None and last is not None:
        raise click.UsageError("Give --after or --last, not both.")
    for stream in streams:
        try:
            Stream.parse(stream)
        except ValueError as error:
            raise click.BadParameter(f"{error}.", param_hint="STREAM") from None
    settings = load_settings()
    setup_logs(role="watch", level="warning", form=settings.log.format)
    address = url or edge_url(settings)
    shown = _Shown(count, raw=raw, as_json=as_json)
    viewer = Viewer(address, token=token, user=user)
    if no_follow:
        asyncio.run(_read(viewer, streams, shown, after, last))
        return
    asyncio.run(_watch(viewer, streams, shown, Start(after=after, last=last), for_s))


class _Shown:
    """Prints events, and counts them."""

    def __init__(self, count: int | None, *, raw: bool, as_json: bool) -> None:
        self._left, self._as_json = count, as_json
        self._fit: Callable[[str], str] = str if raw else printable_json if as_json else printable

    def show(self, item: "Event | Gap") -> bool:
        """Print one; whether more are wanted."""
        from consumers.client.viewer import Gap

        if isinstance(item, Gap):
            why = printable(item.reason)
            click.echo(f"[{item.stream}] events {item.after} to {item.seq} are gone: {why}", err=True)
            return True
        if self._as_json:
            shown = {f: getattr(item, f) for f in item.__struct_fields__ if getattr(item, f) is not None}
            click.echo(self._fit(json.dumps(shown, ensure_ascii=False)))
        else:
            shown = {field: getattr(item, field) for field in item.__struct_fields__}
            click.echo(event_line(shown, self._fit, day=False))
        if self._left is not None:
            self._left -= 1
        return self._left != 0


async def _last(viewer: "Viewer", stream: str, count: int) -> "list[Event]":
    found: list[Event] = []
    more = True
    while more and len(found) < count:
        before = found[0].seq if found else None
        page = await viewer.history(stream, before=before, limit=min(_PAGE, count - len(found)))
        found = [*page.events, *found]
        more = page.more and bool(page.events)
    return found


async def _read(
    viewer: "Viewer", streams: tuple[str, ...], shown: _Shown, after: int | None, last: int | None
) -> None:
    """What there is of each stream now, page by page; without a place nothing is there yet."""
    async with viewer:
        await viewer.connected(_EDGE_S)
        for stream in streams:
            if after is None:
                for event in await _last(viewer, stream, last or 0):
                    shown.show(event)
                continue
            place, more = after, True
            while more:
                page = await viewer.history(stream, after=place, limit=_PAGE)
                for event in page.events:
                    if not shown.show(event):
                        return
                more = page.more and bool(page.events)
                place = page.events[-1].seq if page.events else place


async def _watch(
    viewer: "Viewer", streams: tuple[str, ...], shown: _Shown, start: "Start", for_s: float | None
) -> None:
    enough = asyncio.Event()

    async def follow(stream: str) -> None:
        async for item in viewer.items(stream, start):
            if enough.is_set() or not shown.show(item):
                enough.set()
                return

    async with viewer:
        # An edge that goes away later is waited for; one that was never there is more likely a wrong address.
        await viewer.connected(_EDGE_S)
        tasks = [asyncio.create_task(follow(stream)) for stream in streams]
        stop = asyncio.create_task(enough.wait())
        done, _ = await asyncio.wait({*tasks, stop}, timeout=for_s, return_when=asyncio.FIRST_COMPLETED)
        for task in (*tasks, stop):
            task.cancel()
        await asyncio.gather(*tasks, stop, return_exceptions=True)
        for task in done:
            if not task.cancelled() and (error := task.exception()) is not None:
                raise error
