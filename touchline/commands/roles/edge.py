"""`touchline edge`: run a WebSocket edge, or ask one to leave."""

import asyncio
import json
from http.client import HTTPException
from urllib.parse import urlsplit

import click

from kernel.errors import TouchlineError
from kernel.settings.reading import load_settings


@click.group("edge", invoke_without_command=True)
@click.option(
    "--processes",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="So many edges that share the port: the kernel spreads viewers over them.",
)
@click.option("--share-port", "parent", type=int, hidden=True, help="Be one of several; ends with this pipe.")
@click.pass_context
def command(ctx: click.Context, *, processes: int, parent: int | None) -> int | None:
    """Run a WebSocket edge.

    \b
    Example: TOUCHLINE_EDGE_PORT=18081 touchline edge
             touchline edge --processes 4
    """
    if ctx.invoked_subcommand is not None:
        return None
    from consumers.cluster.processes import follow, run_many
    from consumers.edge import Edge
    from control.state import ControlState
    from history import History
    from history.retractions import TakenBack
    from kernel.clock import SystemClock
    from kernel.process.health import Health
    from kernel.process.lifecycle import run_role
    from kernel.process.logs import setup_logs
    from schemas.registry import wait_for_registry

    settings = load_settings()
    setup_logs(role="edge", level=settings.log.level, form=settings.log.format)

    async def main(stop: asyncio.Event) -> None:
        clock = SystemClock()
        leave = None if parent is None else follow(parent, stop)
        if processes > 1:
            await run_many(settings, processes, stop, clock)
            return
        await wait_for_registry(settings, stop, Health())
        if stop.is_set():
            return
        # The edge learns it, history keeps to it.
        edges: list[Edge] = []

        def fail(error: BaseException) -> None:
            edges[0].failed(error)

        state, on_disk = ControlState.on_disk(settings, clock, "edge", on_failed=fail)
        async with History(settings, clock, state.retention, TakenBack(state.moderation)) as history:
            edge = Edge(settings, clock=clock, history=history, state=state, on_disk=on_disk, leave=leave)
            edges.append(edge)
            await edge.run(stop)

    return run_role(main)


@command.command()
@click.option("--url", help="Address of the edge, like http://127.0.0.1:18081; default: of the settings.")
@click.option("--token", envvar="TOUCHLINE_TOKEN", help="A token that allows admin; also TOUCHLINE_TOKEN.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def drain(*, url: str | None, token: str | None, as_json: bool) -> None:
    """Ask an edge to send its viewers elsewhere and end; nobody misses an event.

    The address may also be the one for viewers, as `touchline status --json` shows it.

    \b
    Example: touchline edge drain --url http://127.0.0.1:18081
    """
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    edge = load_settings().edge
    address = _address(url or f"{'https' if edge.tls_cert else 'http'}://{edge.host}:{edge.port}")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        with urlopen(Request(f"{address}/v1/drain", method="POST", headers=headers), timeout=10):  # noqa: S310
            click.echo(json.dumps({"draining": address}) if as_json else f"{address} is draining.")
    except HTTPError as error:
        raise _refusal(address, error.code) from error
    except (OSError, HTTPException) as error:  # URLError, which says why, is one of the former
        raise TouchlineError(
            "unavailable",
            f"No edge answers at {address} ({getattr(error, 'reason', error)}).",
            hint="`touchline status` shows where they are.",
        ) from error


def _address(text: str) -> str:
    """Where an edge answers HTTP, from its address of either sort."""
    try:
        parts = urlsplit(text)
        scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
        if scheme in ("http", "https") and parts.hostname and parts.port != 0:
            return f"{scheme}://{parts.netloc}"
    except ValueError:  # brackets that do not close, a port that is no number
        pass
    raise click.BadParameter(f"{text} is not an address like http://127.0.0.1:18081.", param_hint="--url")


def _refusal(address: str, status: int) -> TouchlineError:
    why = {
        401: ("unauthorized", "The edge at {} wants a token that it can verify.", "Give it with --token."),
        403: ("forbidden", "The token may not drain the edge at {}.", "It has to allow admin on *."),
    }
    other = (
        "unavailable",
        f"What answers at {{}} ({status}) is no edge.",
        "`touchline status` shows where they are.",
    )
    code, said, hint = why.get(status, other)
    return TouchlineError(code, said.format(address), hint=hint)
