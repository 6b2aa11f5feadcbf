"""The load generator and the processes under test: started on a core each, spoken to line by line.

The load generator and the bare server are Rust (bench/load); they are built when they are not there, or
older than their sources. The server has core 0, everything else core 1. Loopback only.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from bench.report.figures import sample
from bench.rig.edge_alone import STREAM

LOAD: Final = Path(__file__).parents[1] / "load"
BINARIES: Final = LOAD / "target" / "release"
PORT, CONTROL = 24301, 24302
SUBSCRIBE: Final = [
    *("--first-frame", json.dumps({"op": "subscribe", "id": 1, "stream": STREAM})),
    *("--ready-match", '"subscribed"'),
]
Report = dict[str, Any]


def build() -> None:
    """Make the load generator, unless there is one of these sources."""
    sources = [LOAD / "Cargo.toml", *LOAD.glob("src/**/*.rs")]
    made = [BINARIES / "fanload", BINARIES / "rawfan"]
    newest = max(source.stat().st_mtime for source in sources)
    if not all(binary.exists() and binary.stat().st_mtime >= newest for binary in made):
        if shutil.which("cargo") is None:
            sys.exit("The load generator is in Rust: install cargo (rustup.rs, or your system's package).")
        subprocess.run(["cargo", "build", "--release", "--quiet"], cwd=LOAD, check=True)


@contextlib.contextmanager
def running(core: int, *command: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """A process on this core; it is gone when the block is left."""
    process = subprocess.Popen(
        ["taskset", "-c", str(core), *command],
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
        process.kill()
        process.wait()


def listening(port: int) -> socket.socket:
    """A connection, as soon as somebody listens."""
    deadline = time.monotonic() + 20
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port))
        except OSError:
            assert time.monotonic() < deadline, f"nobody listens on {port}"
            time.sleep(0.05)


def memory(pid: int) -> int:
    """What a process holds, in bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


class Load:
    """The load generator, spoken to line by line."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        assert process.stdin is not None
        assert process.stdout is not None
        self._to, self._from = process.stdin, process.stdout

    def ready(self, viewers: int) -> float:
        """Wait until all are in; in how many seconds."""
        word, opened, _, seconds = self._from.readline().split()
        assert (word, int(opened)) == ("READY", viewers), f"{opened} of {viewers} connected"
        return float(seconds)

    def say(self, command: str) -> str:
        self._to.write(command + "\n")
        self._to.flush()
        return self._from.readline()

    def wait_for(self, wanted: int) -> Report:
        """The report when all has come, or nothing more comes."""
        last, still = -1, 0
        while True:
            report: Report = json.loads(self.say("report"))
            if report["msgs"] >= wanted or still >= 20:
                return report
            still = still + 1 if report["msgs"] == last else 0
            last = report["msgs"]
            time.sleep(0.1)


@contextlib.contextmanager
def load(viewers: int, pids: Sequence[int], path: str, *more: str, port: int = PORT) -> Iterator[Load]:
    """A generator with so many viewers, which also watches what these processes use, all together."""
    command = [str(BINARIES / "fanload"), "--url", f"ws://127.0.0.1:{port}{path}", "--conns", str(viewers)]
    command += ["--interactive", "--pid", ",".join(map(str, pids)), *more]
    with running(1, *command) as process:
        yield Load(process)


def show(
    kind: str, name: str, viewers: int, rate: float, *, seconds: float, report: Report, wanted: int
) -> None:
    """Print a step, and keep its figures. What did not come whole counts for nothing."""
    complete = report["msgs"] == wanted and report["min"] == report["max"]
    cpu, delivered = (
        report["srv_cpu"] / max(report["span"], seconds),
        report["msgs"] / max(report["span"], 1e-3),
    )
    each_us = 1e6 * report["srv_cpu"] / max(report["msgs"], 1)
    whole = "complete" if complete else "INCOMPLETE"
    print(
        f"{name:22} {viewers:6} viewers {rate:10,.0f}/s offered {delivered:10,.0f}/s delivered"
        f"  cpu {100 * cpu:4.0f} %  {each_us:6.2f} us each"
        f"  p50 {report['p50']:6.1f}  p99 {report['p99']:7.1f} ms  {whole}",
        flush=True,
    )
    if complete:
        sample(f"{kind} delivered", name, min(delivered, rate), rate)
        sample(f"{kind} cpu", name, 100 * cpu, rate)
        sample(f"{kind} each", name, each_us, rate)
        sample(f"{kind} p50", name, report["p50"], rate)
        sample(f"{kind} p99", name, report["p99"], rate)
