"""`touchline stream`: run a Faust worker, or replay recorded ingest into a shadow."""

import json

import click

from kernel.settings.reading import Settings, load_settings


@click.command("stream")
@click.option(
    "--from",
    "since",
    metavar="TIME",
    help="Replay what was appended from here on: 2026-06-11T19:00:00Z, 2h, yesterday …",
)
@click.option("--to", "until", metavar="TIME", help="Replay up to here.")
@click.option("--channel", "channels", multiple=True, help="Replay this channel only; may be given again.")
@click.option("--shadow", default="replay", show_default=True, help="Name of the replay's own topics.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON (of a replay).")
def command(
    *, since: str | None, until: str | None, channels: tuple[str, ...], shadow: str, as_json: bool
) -> int:
    """Run a worker that checks, orders and fans out events, until it is asked to stop.

    With --from and --to it judges recorded events again instead, into the topics touchline.shadow.NAME.*

    Example: touchline stream

    Example: touchline stream --from 2026-06-11T19:00:00Z --to 2026-06-11T21:00:00Z --channel wc26-final
    """
    settings = load_settings()
    if since is not None or until is not None:
        return _replay(settings, since, until, channels, shadow, as_json=as_json)
    if channels:
        raise click.UsageError("--channel is for a replay: give --from and --to, too.")
    return _run(settings)


def _run(settings: Settings) -> int:
    import asyncio

    from kernel.clock import SystemClock
    from kernel.process.lifecycle import run_role
    from kernel.process.logs import setup_logs
    from streams.role import run_worker

    setup_logs(role="stream", level=settings.log.level, form=settings.log.format)

    async def main(stop: asyncio.Event) -> None:
        await run_worker(settings, SystemClock(), stop)

    return run_role(main)


def _replay(
    settings: Settings,
    since: str | None,
    until: str | None,
    channels: tuple[str, ...],
    shadow: str,
    *,
    as_json: bool,
) -> int:
    from kernel.clock import SystemClock
    from kernel.times import moment_of, zone_of
    from streams.recovery.replay import replay, shadow_settings
    from touchline.terminal.zones import zone_here

    if since is None or until is None:
        raise click.UsageError("A replay needs both --from and --to.")
    clock, zone = SystemClock(), zone_of(zone_here())
    try:
        first, last = moment_of(since, clock.now_ms(), zone).start, moment_of(until, clock.now_ms(), zone).end
    except ValueError as error:
        raise click.UsageError(f"--from and --to are times: {error}") from None
    done = replay(settings, clock, shadow, since_ms=first, until_ms=last, channels=channels)
    prefix = shadow_settings(settings, shadow).topics.prefix
    if as_json:
        click.echo(json.dumps({**done._asdict(), "topics": f"{prefix}.*"}))
    else:
        click.echo(
            f"{done.read} records read: {done.accepted} accepted, {done.repeated} repeated, "
            f"{done.rejected} rejected; see {prefix}.*"
        )
        if done.rooms:
            click.echo(f"{done.rooms} records of rooms were left out: who was in them then is not kept.")
    return 0
