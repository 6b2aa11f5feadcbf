"""`touchline chaos`: a cluster of one's own, faults by a seed, and what held."""

import asyncio
import random
import tempfile
from pathlib import Path

import click


@click.command("chaos")
@click.option(
    "--minutes", type=click.FloatRange(0, min_open=True), default=2.0, show_default=True, help="Of faults."
)
@click.option("--seed", type=click.IntRange(0), help="The same seed makes the same faults. [default: any]")
@click.option("--schedule", type=click.File(), help="Faults to carry out instead, as --plan prints them.")
@click.option(
    "--viewers", type=click.IntRange(1), default=60, show_default=True, help="Recorders on WebSockets."
)
@click.option(
    "--rate",
    type=click.FloatRange(0, min_open=True),
    default=60.0,
    show_default=True,
    help="Events a second.",
)
@click.option(
    "--rooms", type=click.IntRange(0), default=5, show_default=True, help="Rooms, with devices of members."
)
@click.option(
    "--walkers", type=click.IntRange(2), default=60, show_default=True, help="Friends who walk about a city."
)
@click.option(
    "--walk-every",
    "walk_every_s",
    type=click.FloatRange(0, min_open=True),
    default=5.0,
    show_default=True,
    help="Seconds between two positions of a walker.",
)
@click.option(
    "--onlookers", type=click.IntRange(1), default=12, show_default=True, help="Walkers who look who is near."
)
@click.option("--fault", "faults", multiple=True, help="Only faults of this sort; repeated.  [default: all]")
@click.option(
    "--upgrade-from",
    "before",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A checkout of an earlier version: roles begin with it, and are upgraded one after the other.",
)
@click.option("--plan", "only_plan", is_flag=True, help="Print the faults, and start nothing.")
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), help="Write the report as JSON.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option("--keep", is_flag=True, help="Keep the logs, also when everything held.")
def command(
    *,
    minutes: float,
    seed: int | None,
    schedule: click.utils.LazyFile | None,
    viewers: int,
    rate: float,
    rooms: int,
    walkers: int,
    walk_every_s: float,
    onlookers: int,
    faults: tuple[str, ...],
    before: Path | None,
    only_plan: bool,
    report: Path | None,
    as_json: bool,
    keep: bool,
) -> None:
    """Try to break the pipeline: three brokers, Elasticsearch, two workers, four edges, all on this machine.

    \b
    Example: touchline chaos --minutes 30 --seed 7
             touchline chaos --plan --seed 7 > faults.json
             touchline chaos --schedule faults.json
             touchline chaos --upgrade-from ../touchline-0.1
             touchline chaos --walkers 10000 --walk-every 20 --onlookers 100 --fault kill --minutes 5
    """
    import msgspec

    from chaos.faults.schedule import FAULTS, plan, plan_upgrade, read, write
    from chaos.run import Plan, run
    from chaos.upgrades.earlier import ask, choose
    from kernel.errors import TouchlineError
    from kernel.settings.reading import load_settings

    chosen = random.SystemRandom().randrange(100_000) if seed is None else seed
    seconds = minutes * 60
    if schedule is not None:
        blows = read(schedule.read())
    else:
        some = [fault for fault in FAULTS if fault in faults]
        if len(some) < len(faults):
            raise TouchlineError(
                "bad_request", f"There is a fault that is none; these are: {', '.join(FAULTS)}."
            )
        only = plan(chosen, seconds, faults=some or FAULTS)
        blows = only if before is None else plan_upgrade(chosen, seconds)
    if only_plan:
        click.echo(write(blows), nl=False)
        return
    embedded = load_settings().embedded
    servers_dir = Path(embedded.servers_dir or Path(embedded.data_dir) / "servers").absolute()
    directory = Path(tempfile.mkdtemp(prefix="touchline-chaos-"))
    directory.chmod(0o711)  # Elasticsearch runs as a user without rights, and must get in
    click.echo(f"seed {chosen}; logs are in {directory}/logs", err=True)
    earlier = None if before is None else ask(before)
    parts, left_out = choose(earlier)
    for part, why in left_out.items():
        click.echo(f"left out: {part}, because {why}", err=True)
    wanted = Plan(
        *(chosen, seconds, blows),
        viewers=viewers,
        events_per_s=rate,
        rooms=rooms,
        walkers=walkers,
        walk_every_s=walk_every_s,
        onlookers=onlookers,
        parts=parts,
        left_out=left_out,
        before=earlier,
    )
    found = asyncio.run(run(wanted, directory, servers_dir, lambda line: click.echo(line, err=True)))
    encoded = msgspec.json.format(msgspec.json.encode(found))
    if report is not None:
        report.write_bytes(encoded)
    click.echo(encoded.decode() if as_json else "\n".join(found.lines()))
    if not found.passed:
        again = f"touchline chaos --minutes {minutes:g} --seed {chosen} --viewers {viewers} --rate {rate:g}"
        again += f" --rooms {rooms} --walkers {walkers} --walk-every {walk_every_s:g} --onlookers {onlookers}"
        again += "".join(f" --fault {fault}" for fault in faults)
        again += "" if before is None else f" --upgrade-from {before}"
        raise TouchlineError("not_proven", "Not everything held.", hint=f"The same again: {again}")
    if not keep:
        import shutil

        shutil.rmtree(directory, ignore_errors=True)
