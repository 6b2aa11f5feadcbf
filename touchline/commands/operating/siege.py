"""`touchline siege`: hostile users against a cluster of its own, and whether anybody else noticed."""

import asyncio
import tempfile
from pathlib import Path

import click


@click.command("siege")
@click.option(
    "--minutes", type=click.FloatRange(0, min_open=True), default=10.0, show_default=True, help="Of it."
)
@click.option("--attacker", "names", multiple=True, help="Only this one; again for more. [default: all]")
@click.option("--together", type=click.IntRange(1), default=4, show_default=True, help="Attackers at once.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Who comes with whom.")
@click.option("--faults", is_flag=True, help="Mix the faults of `touchline chaos` in.")
@click.option("--list", "only_list", is_flag=True, help="Print the attackers, and start nothing.")
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), help="Write the report as JSON.")
@click.option("--keep", is_flag=True, help="Keep the logs, also when it held.")
def command(
    *,
    minutes: float,
    names: tuple[str, ...],
    together: int,
    seed: int,
    faults: bool,
    only_list: bool,
    report: Path | None,
    keep: bool,
) -> None:
    """Let hostile users with ordinary grants attack, while others post, watch, search and read beside them.

    \b
    Example: touchline siege --minutes 10
             touchline siege --minutes 1 --attacker reshards --attacker crowd
             touchline siege --list
    """
    import msgspec

    from chaos.siege.attackers.by_name import ATTACKERS
    from chaos.siege.run import MOST_PEACE_S, Plan, run
    from kernel.errors import TouchlineError
    from kernel.settings.reading import load_settings

    if only_list:
        for one in ATTACKERS.values():
            click.echo(f"{one.name:24} {one.way:7} {f'case {one.case}' if one.case else ''}".rstrip())
        return
    if unknown := set(names) - set(ATTACKERS):
        raise click.BadParameter(f"there is no attacker {min(unknown)}.", param_hint="--attacker")
    embedded = load_settings().embedded
    servers_dir = Path(embedded.servers_dir or Path(embedded.data_dir) / "servers").absolute()
    directory = Path(tempfile.mkdtemp(prefix="touchline-siege-"))
    directory.chmod(0o711)  # Elasticsearch runs as a user without rights, and must get in
    click.echo(f"logs are in {directory}/logs", err=True)
    seconds = minutes * 60
    wanted = Plan(
        seconds,
        names or tuple(ATTACKERS),
        together=together,
        peace_s=min(MOST_PEACE_S, seconds / 8),
        seed=seed,
        faults=faults,
    )
    found = asyncio.run(run(wanted, directory, servers_dir, lambda line: click.echo(line, err=True)))
    if report is not None:
        report.write_bytes(msgspec.json.format(msgspec.json.encode(found)))
    if found.findings:
        for sentence in found.findings:
            click.echo(f"BROKE  {sentence}")
        raise TouchlineError("not_proven", "Not everything held.", hint=f"The logs are in {directory}/logs.")
    if not keep:
        import shutil

        shutil.rmtree(directory, ignore_errors=True)
    click.echo("siege: held")
