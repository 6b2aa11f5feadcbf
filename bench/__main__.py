"""Every measurement in one run, on servers of its own: `python -m bench [--quick] [--only NAME] [--report]`.

What each left as data becomes bench/results/latest.json, the plots in docs/performance/, and
docs/performance.md; `--report` makes these anew from the data alone. With --only, the other measurements
stay as they were.
Nothing else should run on the machine meanwhile: the figures are ratios of what ran side by side, but a
busy machine makes them waver.
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import psutil

from bench.peers import installing
from bench.report import page
from bench.report.figures import VARIABLE, collected
from bench.report.measurements import MEASUREMENTS, Measurement
from bench.report.page import RESULTS, ROOT, Result, Results
from embedded.backends.servers import Servers
from kernel.settings.reading import load_settings

_LONGEST_S: Final = 900


def measure(measurement: Measurement, *, quick: bool, environment: Mapping[str, str]) -> Result:
    """Run one, and show its output as it comes."""
    module, *arguments = measurement.command
    arguments += measurement.quick if quick else ()
    shown = " ".join(["python -m", module, *arguments])
    print(f"\n== {measurement.title}: {shown}", flush=True)
    begun, lines, stolen_before = time.monotonic(), [], stolen_s()
    with tempfile.TemporaryDirectory() as folder:
        samples, said = Path(folder) / "samples", Path(folder) / "errors"
        with said.open("wb") as errors, subprocess.Popen(
            ["timeout", "-k", "10", str(_LONGEST_S), sys.executable, "-m", module, *arguments],
            cwd=ROOT, env={**environment, VARIABLE: str(samples)}, text=True,
            stdout=subprocess.PIPE, stderr=errors,
        ) as process:  # fmt: skip
            assert process.stdout is not None
            for line in process.stdout:
                print(line, end="", flush=True)
                lines.append(line.rstrip())
        kept = tuple(collected(samples))
        if process.returncode:
            print(said.read_text("utf-8", "replace")[-2000:], file=sys.stderr, flush=True)
    seconds = round(time.monotonic() - begun, 1)
    stolen = (stolen_s() - stolen_before) / seconds / (os.cpu_count() or 1)
    print(
        f"   {seconds:.0f} s{f', exit code {process.returncode}' if process.returncode else ''};"
        f" other machines took {stolen:.1%} of the processors",
        flush=True,
    )
    output = "\n".join(lines)
    return Result(
        measurement.name, shown, seconds, process.returncode, output, kept, today(), round(stolen, 4)
    )


def stolen_s() -> float:
    """Seconds of all processors, since the start, that a virtual machine's host gave to others."""
    return float(getattr(psutil.cpu_times(), "steal", 0.0))  # Linux alone tells


def today() -> str:
    """The day, for whoever reads the results later."""
    return datetime.now(UTC).strftime("%Y-%m-%d")


def machine() -> str:
    """What it ran on."""
    memory = psutil.virtual_memory().total / 2**30
    model = next(
        (line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
         if line.startswith("model name")),
        platform.machine(),
    )  # fmt: skip
    return (
        f"{os.cpu_count()} cores ({model}), {memory:.0f} GiB, {platform.system()} {platform.release()},"
        f" Python {platform.python_version()}; everything on loopback"
    )


def run(chosen: Sequence[Measurement], *, quick: bool) -> Iterator[Results]:
    """Measure, on servers of its own; gives what there is after each measurement."""
    # Not one of the pipeline's settings: those would refuse it.
    for setting in (installing.CENTRIFUGO, installing.TILE38):
        if path := os.environ.pop(setting, ""):
            os.environ[setting.removeprefix("TOUCHLINE_")] = path
    absent = installing.absent()
    for name, why in absent.items():
        print(f"{name} will not run: {why}")
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
            results: list[Result] = []
            for each in chosen:
                results.append(measure(each, quick=quick, environment=environment))
                yield Results(today(), machine(), quick, tuple(results), absent)


def main() -> int:
    """Exit code 1 if a measurement failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", action="append", choices=[m.name for m in MEASUREMENTS])
    parser.add_argument("--report", action="store_true", help="only make the page anew, from the results")
    given = parser.parse_args()
    old = page.read() if RESULTS.exists() else None
    if given.report:
        if old is None:
            sys.exit(f"There are no results in {RESULTS.relative_to(ROOT)}: run make bench.")
        page.keep(old)
        return 0
    chosen = [each for each in MEASUREMENTS if not given.only or each.name in given.only]
    failed, begun = False, time.monotonic()
    for new in run(chosen, quick=given.quick):  # what is measured is kept, whatever ends the run later
        page.keep(page.merged(old, new) if given.only else new)
        failed = any(result.exit_code for result in new.results)
    print(f"\n{(time.monotonic() - begun) / 60:.1f} minutes in all")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
