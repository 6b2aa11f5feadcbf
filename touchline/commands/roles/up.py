"""`touchline up`: start the whole pipeline on this machine."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kernel.errors import TouchlineError
from kernel.settings.reading import Settings, load_settings

if TYPE_CHECKING:
    from embedded.datadir import DataDirectory
    from embedded.supervision.plan import Plan


@click.command("up")
@click.option("--detach", is_flag=True, help="Leave it running, and return once it is up.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Where all data and logs live.")
@click.option("--edges", type=click.IntRange(1, 64), default=1, show_default=True, help="WebSocket edges.")
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Faust workers.")
@click.option("--report-fd", type=int, hidden=True, help="Where --detach reads how the start goes.")
def command(*, detach: bool, data_dir: Path | None, edges: int, workers: int, report_fd: int | None) -> int:
    """Start the whole pipeline on this machine: Kafka, Elasticsearch, and every role of Touchline.

    Data stay in one directory over `down` and `up`. Ctrl-C stops it, or `touchline down` from another shell.

    Example: touchline up --detach --edges 2
    """
    from embedded.datadir import DataDirectory
    from embedded.supervision.plan import Plan

    settings = load_settings()
    directory = DataDirectory(data_dir or Path(settings.embedded.data_dir))
    plan = Plan(settings, edges=edges, workers=workers)
    if report_fd is not None:
        return _report_to(report_fd, plan, settings, directory)
    directory.prepare()
    if directory.is_locked():
        return _say_up_already(directory)
    if not detach:
        return _stay(plan, settings, directory)
    options = {"--data-dir": directory.path, "--edges": edges, "--workers": workers}
    return _detach(plan, directory, ["up", *(str(part) for option in options.items() for part in option)])


def _stay(plan: "Plan", settings: Settings, directory: "DataDirectory") -> int:
    """Supervise in this process, until Ctrl-C."""
    from embedded import up
    from embedded.supervision.progress import Event, Up
    from embedded.terminal import TerminalReport, show_final_screen
    from kernel.process.logs import setup_logs

    setup_logs(role="up", level=settings.log.level, form=settings.log.format)
    with TerminalReport() as show:

        def report(event: Event) -> None:
            show(event)
            if isinstance(event, Up):
                ending = f"Data and logs: {directory.path}. Ctrl-C stops it."
                show_final_screen(plan.addresses, title="Touchline is up", ending=ending)

        try:
            if up.run(plan, settings, directory, report):
                return 0
        except KeyboardInterrupt:  # while downloading: nothing has been started yet
            raise click.Abort from None
    return _say_up_already(directory)  # another `up` was quicker


def _detach(plan: "Plan", directory: "DataDirectory", arguments: list[str]) -> int:
    """Supervise in a process of its own, and return once it is up."""
    from embedded import up
    from embedded.terminal import TerminalReport, show_final_screen

    with TerminalReport() as show:
        try:
            up.run_in_background(arguments, directory, show)
        except KeyboardInterrupt:
            raise click.Abort from None
    ending = f"Data and logs: {directory.path}. `touchline status` shows it, `touchline down` stops it."
    show_final_screen(plan.addresses, title="Touchline is up", ending=ending)
    return 0


def _report_to(number: int, plan: "Plan", settings: Settings, directory: "DataDirectory") -> int:
    """Be the supervisor that `--detach` has started."""
    from embedded import up
    from embedded.supervision import progress
    from kernel.process.logs import setup_logs

    setup_logs(role="up", level=settings.log.level, form=settings.log.format)
    report = progress.write_to(os.fdopen(number, "wb"))
    try:
        ours = up.run(plan, settings, directory, report)
    except TouchlineError as error:
        report(progress.Failed(error.code, error.message, error.hint))
        return 1
    if not ours:
        report(progress.Failed("start_failed", "Another `touchline up` was quicker, and goes on."))
    return 0 if ours else 1


def _say_up_already(directory: "DataDirectory") -> int:
    from embedded import up
    from embedded.terminal import show_final_screen

    addresses = up.wait_for_other(directory, lambda text: click.echo(text, err=True))
    if addresses is None:
        raise TouchlineError(
            "start_failed", "The other `touchline up` has ended without being up.", hint="Run this again."
        )
    ending = f"Data and logs: {directory.path}. `touchline down` stops it."
    show_final_screen(addresses, title="Touchline is up already", ending=ending)
    return 0
