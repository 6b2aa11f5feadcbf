"""`touchline gateway`: run the HTTP gateway."""

import asyncio

import click


@click.command("gateway")
def command() -> int:
    """Run the HTTP gateway: ingest, history, search, channels and the schema registry.

    Example: TOUCHLINE_GATEWAY_PORT=8080 touchline gateway
    """
    from gateway.app import serve
    from kernel.clock import SystemClock
    from kernel.process.lifecycle import run_role
    from kernel.process.logs import setup_logs
    from kernel.settings.reading import load_settings

    settings = load_settings()
    setup_logs(role="gateway", level=settings.log.level, form=settings.log.format)

    async def main(stop: asyncio.Event) -> None:
        await serve(settings, SystemClock(), stop)

    return run_role(main, has_threads=True)
