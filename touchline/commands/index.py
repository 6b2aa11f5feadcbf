"""`touchline index`: run the search indexer, or build the index anew."""

import asyncio

import click

from kernel.clock import SystemClock
from kernel.lifecycle import run_role
from kernel.logs import setup_logs
from kernel.settings import load_settings


@click.command("index")
@click.pass_context
def command(ctx: click.Context) -> None:
    """Run the search indexer until it is told to stop. Run several: they share the work.

    Example: touchline index
    """
    from search_indexer.role import serve

    settings = load_settings()
    setup_logs(role="index", level=settings.log.level, form=settings.log.format)

    async def main(stop: asyncio.Event) -> None:
        await serve(settings, SystemClock(), stop)

    ctx.exit(run_role(main))
