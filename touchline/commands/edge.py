"""`touchline edge`: run a WebSocket edge."""

import asyncio

import click

from kernel.settings import load_settings


@click.command("edge")
def command() -> int:
    """Run a WebSocket edge.

    Example: TOUCHLINE_EDGE_PORT=18081 touchline edge
    """
    from consumers.edge import Edge
    from history import History
    from kernel.clock import SystemClock
    from kernel.lifecycle import run_role
    from kernel.logs import setup_logs

    settings = load_settings()
    setup_logs(role="edge", level=settings.log.level, form=settings.log.format)

    async def main(stop: asyncio.Event) -> None:
        clock = SystemClock()
        async with History(settings, clock) as history:
            await Edge(settings, clock=clock, history=history).run(stop)

    return run_role(main)
