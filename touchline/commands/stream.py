"""`touchline stream`: run a Faust worker."""

import click

from kernel.settings import load_settings


@click.command("stream")
def command() -> int:
    """Run a worker that checks, orders and fans out events, until it is asked to stop.

    Example: touchline stream
    """
    import asyncio

    from kernel.clock import SystemClock
    from kernel.lifecycle import run_role
    from kernel.logs import setup_logs
    from streams.role import run_worker

    settings = load_settings()
    setup_logs(role="stream", level=settings.log.level, form=settings.log.format)

    async def main(stop: asyncio.Event) -> None:
        await run_worker(settings, SystemClock(), stop)

    return run_role(main)
