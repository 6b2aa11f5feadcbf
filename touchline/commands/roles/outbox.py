"""`touchline outbox`: run what leads out: notifications, webhooks, Web Push."""

import asyncio

import click

from kernel.clock import SystemClock
from kernel.process.lifecycle import run_role
from kernel.process.logs import setup_logs
from kernel.settings.reading import load_settings


@click.command("outbox")
@click.pass_context
def command(ctx: click.Context) -> None:
    """Run what leads out until it is told to stop. Run several: they share the work.

    \b
    Example: touchline outbox
    """
    from outbox.role import serve

    settings = load_settings()
    setup_logs(role="outbox", level=settings.log.level, form=settings.log.format)

    async def main(stop: asyncio.Event) -> None:
        await serve(settings, SystemClock(), stop)

    ctx.exit(run_role(main, has_threads=True))
