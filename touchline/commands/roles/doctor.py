"""`touchline doctor`: what this machine lacks, and how to get it."""

import json
from pathlib import Path
from typing import Final

import click

from kernel.settings.reading import load_settings

_MARKS: Final = {"ok": ("ok  ", "green"), "warn": ("warn", "yellow"), "fail": ("FAIL", "red")}


@click.command("doctor")
@click.option("--data-dir", type=click.Path(path_type=Path), help="The data directory that `up` would use.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(*, data_dir: Path | None, as_json: bool) -> int:
    """Say what this machine lacks for `touchline up`, and how to get it. Exits 1 if anything fails.

    Example: touchline doctor
    """
    from dataclasses import asdict

    from embedded import doctor, up
    from embedded.datadir import DataDirectory
    from embedded.supervision.plan import Plan

    settings = load_settings()
    directory = DataDirectory(data_dir or Path(settings.embedded.data_dir))
    findings = []
    for finding in doctor.examine(
        settings,
        data_dir=directory.path,
        servers_dir=up.servers_dir(settings, directory),
        claims=Plan(settings).claims,
        is_up=directory.is_locked(),
    ):
        findings.append(finding)
        if not as_json:
            mark, colour = _MARKS[finding.verdict]
            hint = f"\n{'':18}{finding.hint}" if finding.hint else ""
            click.echo(f"{click.style(mark, fg=colour)}  {finding.check:12}{finding.message}{hint}")
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings]))
    return 1 if any(finding.verdict == "fail" for finding in findings) else 0
