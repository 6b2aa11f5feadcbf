"""Every measurement in one run, on servers of its own: `python -m bench [--quick] [--only NAME]`.

What each printed, with its command, becomes docs/performance.md; the same as data, bench/results/latest.json.
Nothing else should run on the machine meanwhile: the figures are ratios of what ran side by side, but a
busy machine makes them waver.
"""

import argparse
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
import psutil

from embedded.servers import Servers
from kernel.settings import load_settings

ROOT: Final = Path(__file__).parents[1]
REPORT: Final = ROOT / "docs" / "performance.md"
RESULTS: Final = ROOT / "bench" / "results" / "latest.json"
_LONGEST_S: Final = 1200


class Measurement(msgspec.Struct, frozen=True):
    """One command, what it is about, and what it takes less of where time is short."""

    name: str
    title: str
    command: tuple[str, ...]
    quick: tuple[str, ...] | None = ()
    what: str = ""


class Result(msgspec.Struct, frozen=True):
    """What a command printed."""

    name: str
    command: str
    seconds: float
    exit_code: int
    output: str


WORKERS: Final = ("bare", "touchline", "aiokafka", "faststream", "faust")
#: In the order of an event's way. `quick` None: left out where time is short.
MEASUREMENTS: Final = (
    Measurement(
        "producers", "Posting",
        ("bench.producers", "--kafka", "{kafka}", "--peers"),
        ("--rounds", "1", "--events", "60000"),
        "Events of 200 bytes a second until Kafka has confirmed the last; the bare one has its bytes ready.",
    ),
    Measurement(
        "workers", "Checking, ordering, fanning out",
        ("bench.streams", "--servers", "{kafka}", *WORKERS),
        ("--runs", "1", "--events", "60000"),
        "The chat job of one process, beside a bare loop that only decodes and writes, and other frameworks.",
    ),
    Measurement(
        "worker latency", "From ingest to fan-out",
        ("bench.streams", "--servers", "{kafka}", "--latency", "2500"),
        ("--seconds", "6"),
        "Milliseconds between the broker's two appends, at about a tenth of a worker's full load.",
    ),
    Measurement(
        "edges direct", "To the viewers, one event a write",
        ("bench.edges", "direct"),
        ("--seconds", "2"),
        "1,000 viewers, server on one core; a bare epoll server and `websockets.broadcast` beside it.",
    ),
    Measurement(
        "edges kafka", "To the viewers, from Kafka",
        ("bench.edges", "kafka"),
        ("--seconds", "2"),
        "1,000 viewers at 200,000 and at 1.6 million deliveries a second.",
    ),
    Measurement(
        "edges many", "5,000 viewers, from Kafka",
        ("bench.edges", "kafka", "--viewers", "5000", "--rates", "1000000"),
        ("--seconds", "2"),
        "A million deliveries a second.",
    ),
    Measurement(
        "edges crowd", "A crowd",
        ("bench.edges", "crowd"),
        (),
        "10,000 viewers of one stream: memory of each while idle, and when the last has one event.",
    ),
    Measurement(
        "edges comeback", "Everybody comes back at once",
        ("bench.edges", "comeback"),
        (),
        "The edge is killed with -9 and started again; 10,000 viewers ask for what they missed.",
    ),
    Measurement(
        "indexing", "Indexing",
        ("bench.indexer", "rate"),
        ("--turns", "1", "--documents", "40000"),
        "From the log to confirmed documents, beside `parallel_bulk` with ready-made ones.",
    ),
    Measurement(
        "findable", "Until it is found",
        ("bench.indexer", "found"),
        ("--seconds", "8"),
        "From an event's append to its being found, at 2,000 events a second.",
    ),
    Measurement(
        "search", "Searching, and reading the past",
        ("bench.search", "run"),
        ("--documents", "100000"),
        "p50 in a million messages, beside the same sent straight; pages of 50 from the middle.",
    ),
    Measurement(
        "JavaScript", "The JavaScript client",
        ("bench.node_client",),
        (),
        "Events a second that it takes in Node.",
    ),
)  # fmt: skip


def measure(measurement: Measurement, *, quick: bool, kafka: str, environment: Mapping[str, str]) -> Result:
    """Run one, and show its output as it comes."""
    module, *arguments = measurement.command
    arguments = [argument.format(kafka=kafka) for argument in arguments]
    more = (measurement.quick or ()) if quick else ()
    shown = " ".join(["python -m", *measurement.command, *more]).format(kafka="127.0.0.1:19092")
    print(f"\n== {measurement.title}: {shown}", flush=True)
    begun, lines = time.monotonic(), []
    with subprocess.Popen(
        [sys.executable, "-m", module, *arguments, *more],
        cwd=ROOT, env=dict(environment), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line.rstrip())
            if time.monotonic() - begun > _LONGEST_S:
                process.kill()
    seconds = round(time.monotonic() - begun, 1)
    return Result(measurement.name, shown, seconds, process.returncode, "\n".join(lines))


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


def page(before: str, results: Sequence[Result], *, where: str, when: str, quick: bool) -> str:
    """The page with its measured part made anew; the rest of it is written by people and stays."""
    by_name = {result.name: result for result in results}
    parts = [f"Measured on {when} by `make bench{' QUICK=1' if quick else ''}`. {where}.\n"]
    parts += [
        f"### {m.title}\n\n{m.what}\n\n```\n$ {by_name[m.name].command}\n{by_name[m.name].output}\n```\n"
        for m in MEASUREMENTS
        if m.name in by_name
    ]
    measured = "<!-- measured -->\n" + "\n".join(parts) + "<!-- /measured -->"
    return re.sub(r"<!-- measured -->.*<!-- /measured -->", lambda _: measured, before, flags=re.DOTALL)


def main() -> int:
    """Exit code 1 if a measurement failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", action="append", choices=[m.name for m in MEASUREMENTS])
    given = parser.parse_args()
    chosen = [
        m for m in MEASUREMENTS
        if (not given.only or m.name in given.only) and not (given.quick and m.quick is None)
    ]  # fmt: skip
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
            results = [
                measure(m, quick=given.quick, kafka=servers.bootstrap_servers, environment=environment)
                for m in chosen
            ]
    when, where = datetime.now(UTC).strftime("%Y-%m-%d"), machine()
    RESULTS.parent.mkdir(exist_ok=True)
    said = {"when": when, "machine": where, "quick": given.quick, "results": results}
    RESULTS.write_bytes(msgspec.json.format(msgspec.json.encode(said)) + b"\n")
    REPORT.write_text(
        page(REPORT.read_text("utf-8"), results, where=where, when=when, quick=given.quick), "utf-8"
    )
    return 1 if any(result.exit_code for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
