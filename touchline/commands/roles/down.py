"""`touchline down`: stop what `up` started."""

from pathlib import Path

import click

from kernel.settings.reading import load_settings


@click.command("down")
@click.option("--data-dir", type=click.Path(path_type=Path), help="The data directory that `up` was given.")
def command(*, data_dir: Path | None) -> None:
    """Stop what `up` started; the data stay. Where nothing runs it says so, and that is no failure.

    Example: touchline down
    """
    from embedded import down
    from embedded.datadir import DataDirectory

    directory = DataDirectory(data_dir or Path(load_settings().embedded.data_dir))
    if down.stop(directory):
        click.echo(f"Touchline is down; its data stay in {directory.path}.")
    else:
        click.echo(f"Touchline was not up in {directory.path}.")
