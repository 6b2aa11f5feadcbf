"""`touchline status`: a line for each process."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kernel.errors import TouchlineError
from kernel.settings.reading import load_settings
from kernel.version import VERSION

if TYPE_CHECKING:
    from embedded.status import Status


@click.command("status")
@click.option("--data-dir", type=click.Path(path_type=Path), help="The data directory that `up` was given.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(*, data_dir: Path | None, as_json: bool) -> None:
    """Show a line for each process: state, pid, port, restarts, and how many records it still has to read.

    Exits 1 if nothing runs.

    Example: touchline status --json
    """
    from embedded import status
    from embedded.datadir import DataDirectory

    directory = DataDirectory(data_dir or Path(load_settings().embedded.data_dir))
    found = status.look(directory)
    if found is None:
        raise TouchlineError(
            "not_running", f"Touchline is not up in {directory.path}.", hint="`touchline up` starts it."
        )
    if as_json:
        click.echo(json.dumps(_as_json(found)))
    else:
        _show(found)


def _as_json(found: "Status") -> dict[str, object]:
    addresses = found.addresses
    return {
        "version": VERSION,
        "kafka": addresses.kafka,
        "elasticsearch": addresses.elasticsearch,
        "gateway": addresses.gateway,
        "edges": list(addresses.edges),
        "topics": addresses.topics,
        "indices": addresses.indices,
        "roles": [
            {
                "name": line.name,
                "state": line.state,
                "pid": line.pid,
                "port": line.port,
                "restarts": line.restarts,
                "lag": line.lag,
            }
            for line in found.lines
        ],
    }


def _show(found: "Status") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("process")
    table.add_column("state")
    for heading in ("pid", "port", "restarts", "lag"):
        table.add_column(heading, justify="right")
    table.add_column("", overflow="fold")
    for line in found.lines:
        colour = "green" if line.state == "ready" else "yellow"
        numbers = ("" if n is None else str(n) for n in (line.pid, line.port, line.restarts, line.lag))
        table.add_row(line.name, f"[{colour}]{line.state}[/]", *numbers, line.detail)
    if found.phase != "up":
        click.echo(f"The pipeline is {found.phase}.")
    Console(highlight=False).print(table)
    addresses = found.addresses
    click.echo(f"Topics are {addresses.topics}.*, indices {addresses.indices}-*.")
