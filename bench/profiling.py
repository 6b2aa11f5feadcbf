"""Where the time goes: a profile of the edge and of the worker at work, taken from outside by py-spy.

    python -m bench.profiling [edge] [worker] [--seconds 8]

The edge serves 1,000 viewers at 200,000 deliveries/s from Kafka; the worker has more events waiting than it
can do. What py-spy saw becomes bench/results/profile.json, and a table in docs/performance.md. Time that C
code needs (the kernel's for a write, librdkafka's) is that of the Python line which called it. Starts a Kafka
of its own where TOUCHLINE_KAFKA_BOOTSTRAP_SERVERS names none.
"""

import argparse
import contextlib
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bench.report.page import ROOT, Hot, Profile, keep_profiles
from bench.rig import workers
from bench.rig.edge_on_kafka import kafka_edge, publisher, token_path
from bench.rig.generator import SUBSCRIBE, build, load
from embedded.backends.servers import Servers
from kernel.settings.reading import load_settings

#: A frame of py-spy's raw format.
_FRAME: Final = re.compile(r"(?P<name>.+) \((?P<file>.+?)(?::(?P<line>\d+))?\)$")
_SAMPLES_PER_S: Final = 250
_SHOWN: Final = 12


def record(pid: int, seconds: float, what: str) -> Profile:
    """Look at a process for some seconds."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "raw"
        command = [str(Path(sys.executable).with_name("py-spy")), "record", "--pid", str(pid)]
        command += ["--duration", f"{seconds:.0f}", "--rate", str(_SAMPLES_PER_S), "--format", "raw"]
        command += ["--full-filenames", "--nonblocking", "--output", str(path)]
        subprocess.run(["taskset", "-c", "1", *command], check=True, capture_output=True)
        return reduced(what, path.read_text("utf-8"))


def reduced(what: str, raw: str) -> Profile:
    """The functions that most samples were in, with their hottest line."""
    by_function: Counter[tuple[str, str]] = Counter()
    by_line: dict[tuple[str, str], Counter[int]] = {}
    for line in raw.splitlines():
        stack, _, count = line.rpartition(" ")
        frame = _FRAME.match(stack.rpartition(";")[2])
        if frame is None:
            continue
        function = (short(frame["file"]), frame["name"])
        by_function[function] += int(count)
        by_line.setdefault(function, Counter())[int(frame["line"] or 0)] += int(count)
    total = by_function.total()
    hot = []
    for (file, name), seen in by_function.most_common(_SHOWN):
        number = by_line[file, name].most_common(1)[0][0]
        hot.append(Hot(round(seen / total, 3), file, name, number, source(file, number)))
    return Profile(what, total, tuple(hot))


def short(path: str) -> str:
    """Where a file is, without this machine."""
    for mark in ("site-packages/", f"{ROOT}/", "/lib/"):
        if mark in path:
            return path.partition(mark)[2]
    return path


def source(file: str, number: int) -> str:
    """The line itself, where it is ours."""
    path = ROOT / file
    lines = path.read_text("utf-8").splitlines() if path.is_file() else []
    return lines[number - 1].strip() if 0 < number <= len(lines) else ""


def edge(seconds: float) -> Profile:
    viewers, per_s = 1000, 200
    with (
        kafka_edge() as server,
        load(viewers, server.pids, token_path(), *SUBSCRIBE) as generator,
    ):
        generator.ready(viewers)
        publisher(server.environment)(20, 1)
        command = [sys.executable, "-m", "bench.rig.edge_on_kafka", "--rate", str(per_s)]
        command += ["--seconds", str(seconds + 3)]
        with subprocess.Popen(["taskset", "-c", "1", *command], env=server.environment):
            time.sleep(1)  # it is at its rate
            return record(
                server.process.pid, seconds, "an edge: 1,000 viewers, 200,000 deliveries/s from Kafka"
            )


def worker(seconds: float) -> Profile:
    settings = workers.prepare(load_settings().kafka.bootstrap_servers)
    with contextlib.ExitStack() as stack:
        stack.callback(workers.drop, settings)
        workers.Poster(settings).post(int(45_000 * (seconds + 4)))
        process = workers.start("touchline", settings)
        stack.callback(workers.end, process)
        time.sleep(4)  # it has its partitions, and is at work
        return record(process.pid, seconds, "a worker: chat events, as many as it can do")


@contextlib.contextmanager
def kafka() -> Iterator[None]:
    """The Kafka that the settings name, or one of its own."""
    if os.environ.get("TOUCHLINE_KAFKA_BOOTSTRAP_SERVERS"):
        yield
        return
    embedded = load_settings().embedded
    servers_dir = Path(embedded.servers_dir or ROOT / embedded.data_dir / "servers").absolute()
    with (
        tempfile.TemporaryDirectory(prefix="touchline-bench-", ignore_cleanup_errors=True) as name,
        Servers(Path(name), servers_dir=servers_dir, with_elasticsearch=False) as servers,
    ):
        os.environ["TOUCHLINE_KAFKA_BOOTSTRAP_SERVERS"] = servers.bootstrap_servers
        os.environ["TOUCHLINE_LOG_LEVEL"] = "warning"
        yield


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", nargs="*", metavar="edge|worker")
    parser.add_argument("--seconds", type=float, default=8)
    given = parser.parse_args()
    known = {"edge": edge, "worker": worker}
    if set(given.what) - set(known):
        parser.error("there are profiles of edge and of worker")
    build()
    with kafka():
        made = {what: known[what](given.seconds) for what in given.what or known}
    keep_profiles(made)
    for profile in made.values():
        print(f"{profile.what} ({profile.samples} samples)")
        for hot in profile.hot:
            print(f"{100 * hot.share:5.1f} %  {hot.file}:{hot.line} {hot.function}  {hot.source}")


if __name__ == "__main__":
    main()
