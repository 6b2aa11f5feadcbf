"""This checkout beside another one, turn by turn: `python -m bench.compare DIR [--turns 7] [--only NAME]`.

Both run the same commands on the same servers, the other one first in every second turn. For each figure it
prints the median of either, and of the ratios of the turns. It answers whether a change made anything slower:
DIR is a checkout of the commit before, with its environment (`make setup`). Each runs in its own directory,
as `python -m` takes the code from there.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import Final

from bench.report.figures import VARIABLE, collected
from bench.report.page import ROOT
from embedded.backends.servers import Servers
from kernel.settings.reading import load_settings

#: The servers are the same for all turns, and warm after the first.
_WARM: Final = ("--warm-up", "5")
#: What is run of each, without the peers, short enough for seven turns.
COMMANDS: Final[Mapping[str, tuple[str, ...]]] = {
    "posting": ("bench.producers", "--events", "80000", "--seconds", "1"),
    "workers": ("bench.workers", "rate", "touchline", "--events", "150000", "--runs", "1"),
    "latency": ("bench.workers", "latency", "--rates", "2500", "--seconds", "3", "--runs", "1", *_WARM),
    "edges": ("bench.edges", "kafka", "--rates", "200000,1600000", "--seconds", "2", "--runs", "1", *_WARM),
    "many": (
        *("bench.edges", "kafka", "--viewers", "5000", "--rates", "1000000"),
        *("--seconds", "2", "--runs", "1", *_WARM),
    ),
    "pipeline": ("bench.pipeline", "--seconds", "3"),
    "comeback": ("bench.edges", "comeback", "--runs", "1"),
    "indexing": ("bench.indexer", "rate", "--turns", "1", "--documents", "40000"),
    "search": ("bench.search", "run", "--documents", "40000"),
}
_LONGEST_S: Final = 300

Values = dict[tuple[str, str, float], list[float]]


class _FailedError(Exception):
    """A command ended badly: its turn does not count."""


def turn(directory: Path, command: tuple[str, ...], environment: Mapping[str, str]) -> Values:
    """One command in a checkout; the samples that it left."""
    module, *arguments = command
    with tempfile.TemporaryDirectory() as folder:
        samples = Path(folder) / "samples"
        python = directory / ".venv/bin/python"
        done = subprocess.run(
            ["timeout", "-k", "10", str(_LONGEST_S), str(python), "-m", module, *arguments],
            cwd=directory, env={**environment, VARIABLE: str(samples)},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise _FailedError(
                f"{module} ended with {done.returncode} in {directory}:\n{done.stderr[-2000:]}"
            )
        values: Values = {}
        for sample in collected(samples):
            values.setdefault((sample.figure, sample.who, sample.load), []).append(sample.value)
        return values


def turns(other: Path, names: list[str], number: int) -> Iterator[tuple[str, Values, Values]]:
    """Each command in both, so many times, on servers of their own."""
    embedded = load_settings().embedded
    servers_dir = Path(embedded.servers_dir or ROOT / embedded.data_dir / "servers").absolute()
    with tempfile.TemporaryDirectory(prefix="touchline-bench-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o711)
        with Servers(Path(name), servers_dir=servers_dir) as servers:
            environment = {
                **os.environ,
                "TOUCHLINE_LOG_LEVEL": "warning",
                "TOUCHLINE_KAFKA_BOOTSTRAP_SERVERS": servers.bootstrap_servers,
                "TOUCHLINE_ELASTICSEARCH_URL": servers.elasticsearch_url,
            }
            for count in range(number):
                for each in names:
                    pair = [other, ROOT] if count % 2 == 0 else [ROOT, other]
                    try:
                        got = {directory: turn(directory, COMMANDS[each], environment) for directory in pair}
                    except _FailedError as error:
                        print(f"   {each}: left out of this turn\n{error}", file=sys.stderr, flush=True)
                    else:
                        yield each, got[other], got[ROOT]


def main() -> None:
    """Print a line a figure, after all turns; what came so far at an interrupt."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("other", type=Path, help="a checkout with its environment")
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--only", action="append", choices=list(COMMANDS))
    given = parser.parse_args()
    before: Values = {}
    after: Values = {}
    try:
        for name, old, new in turns(given.other.resolve(), given.only or list(COMMANDS), given.turns):
            print(f"   {name}", file=sys.stderr, flush=True)
            for key in old.keys() & new.keys():
                before.setdefault(key, []).append(median(old[key]))
                after.setdefault(key, []).append(median(new[key]))
    finally:
        head = f"{'figure':<42} {'turns':>5} {'before':>12} {'after':>12} {'after/before':>12}"
        print(f"{head}  (lowest to highest)")
        for key in sorted(before):
            figure, who, load = key
            ratios = [b / a for a, b in zip(before[key], after[key], strict=True) if a]
            if ratios:
                title = f"{figure}, {who}" + (f", {load:,.0f}" if load else "")
                print(
                    f"{title:<42} {len(ratios):>5} {median(before[key]):>12,.2f} {median(after[key]):>12,.2f}"
                    f" {median(ratios):>12.2f}  ({min(ratios):.2f} to {max(ratios):.2f})"
                )


if __name__ == "__main__":
    main()
