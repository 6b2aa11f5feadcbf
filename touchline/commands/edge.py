"""`touchline edge`: run a WebSocket edge, or ask one to leave."""

import asyncio

import click

from kernel.errors import TouchlineError
from kernel.settings import load_settings


@click.group("edge", invoke_without_command=True)
@click.option(
    "--processes",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="So many edges that share the port: the kernel spreads viewers over them.",
)
@click.option("--share-port", is_flag=True, hidden=True, help="Be one of several processes on the port.")
@click.pass_context
def command(ctx: click.Context, *, processes: int, share_port: bool) -> int | None:
    """Run a WebSocket edge.

    \b
    Example: TOUCHLINE_EDGE_PORT=18081 touchline edge
             touchline edge --processes 4
    """
    if ctx.invoked_subcommand is not None:
        return None
    from consumers.edge import Edge
    from consumers.processes import run_many
    from history import History
    from kernel.clock import SystemClock
    from kernel.health import Health
    from kernel.lifecycle import run_role
    from kernel.logs import setup_logs
    from kernel.retention import Retention
    from schemas.registry import wait_for_registry

    settings = load_settings()
    setup_logs(role="edge", level=settings.log.level, form=settings.log.format)

    async def main(stop: asyncio.Event) -> None:
        clock = SystemClock()
        if processes > 1:
            await run_many(settings, processes, stop)
            return
        await wait_for_registry(settings, stop, Health())
        if stop.is_set():
            return
        # The edge learns it, history keeps to it.
        retention = Retention(settings.indexer)
        async with History(settings, clock, retention) as history:
            edge = Edge(settings, clock=clock, history=history, retention=retention, share_port=share_port)
            await edge.run(stop)

    return run_role(main)


@command.command()
@click.option("--url", help="Address of the edge, like http://127.0.0.1:18081; default: of the settings.")
@click.option("--token", envvar="TOUCHLINE_TOKEN", help="A token that allows admin; also TOUCHLINE_TOKEN.")
def drain(*, url: str | None, token: str | None) -> None:
    """Ask an edge to send its viewers elsewhere and end; nobody misses an event.

    Example: touchline edge drain --url http://127.0.0.1:18081
    """
    from urllib.error import HTTPError, URLError
    from urllib.request import Request, urlopen

    edge = load_settings().edge
    address = url or f"{'https' if edge.tls_cert else 'http'}://{edge.host}:{edge.port}"
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        with urlopen(Request(f"{address}/v1/drain", method="POST", headers=headers), timeout=10):  # noqa: S310
            click.echo(f"{address} is draining.")
    except HTTPError as error:
        code = "unauthorized" if error.code == 401 else "forbidden" if error.code == 403 else "unavailable"
        raise TouchlineError(code, f"{address} refused ({error.code}).") from error
    except (URLError, OSError, ValueError) as error:
        raise TouchlineError("unavailable", f"No edge answers at {address}.") from error
