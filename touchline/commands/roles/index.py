"""`touchline index`: run the search indexer, or build the index anew."""

import asyncio

import click

from kernel.clock import SystemClock
from kernel.errors import TouchlineError
from kernel.process.lifecycle import run_role
from kernel.process.logs import setup_logs
from kernel.settings.reading import Settings, load_settings


@click.command("index")
@click.option("--rebuild", is_flag=True, help="Build a new index from the log, swap to it, and end.")
@click.pass_context
def command(ctx: click.Context, *, rebuild: bool) -> None:
    """Run the search indexer until it is told to stop. Run several: they share the work.

    \b
    Example: touchline index
             touchline index --rebuild
    """
    from search_indexer.role import serve

    settings = load_settings()
    setup_logs(role="index", level=settings.log.level, form=settings.log.format)

    async def main(stop: asyncio.Event) -> None:
        if rebuild:
            await _rebuild(settings, stop)
        else:
            await serve(settings, SystemClock(), stop)

    ctx.exit(run_role(main))


async def _rebuild(settings: Settings, stop: asyncio.Event) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from search_indexer.indexing.rebuild import rebuild

    columns = (TextColumn("Building a new index"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("rebuild", total=None)
        generation = await rebuild(
            settings, SystemClock(), stop, lambda done, total: bar.update(task, completed=done, total=total)
        )
    if generation is None:
        raise TouchlineError("closed", "Stopped before the new index was ready; the old one is searched on.")
    click.echo("The new index is searched now; the old one is dropped soon.", err=True)
