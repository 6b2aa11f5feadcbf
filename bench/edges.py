"""How many deliveries a second one edge makes, and what each costs, with the bare server beside it.

- `python -m bench.edges direct`: one event a write; bare epoll server, the edge, `websockets.broadcast`
- `python -m bench.edges kafka`: from Kafka, at the rates of docs/performance.md
- `python -m bench.edges crowd`: 10,000 viewers, one event; memory of an idle viewer
- `python -m bench.edges comeback`: the edge is killed, and 10,000 viewers come back at once with cursors

The load generator and the bare server are Rust (bench/load); they are built when they are not there. The
server has core 0, everything else core 1. All but `direct` need a Kafka
(TOUCHLINE_KAFKA_BOOTSTRAP_SERVERS). Loopback only.
"""

import argparse
import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.fan_servers import STREAM, body
from kernel.topics import topics

HERE = Path(__file__).parent
LOAD = HERE / "load"
BINARIES = LOAD / "target" / "release"
PORT, CONTROL = 24301, 24302
SUBSCRIBE = [
    *("--first-frame", json.dumps({"op": "subscribe", "id": 1, "stream": STREAM})),
    *("--ready-match", '"subscribed"'),
]
Report = dict[str, Any]


def build() -> None:
    if not (BINARIES / "fanload").exists():
        subprocess.run(["cargo", "build", "--release", "--quiet"], cwd=LOAD, check=True)


@contextlib.contextmanager
def running(core: int, *command: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
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


def listening(port: int) -> socket.socket:
    deadline = time.monotonic() + 20
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port))
        except OSError:
            assert time.monotonic() < deadline, f"nobody listens on {port}"
            time.sleep(0.05)


def memory(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


class Load:
    """The load generator, spoken to line by line."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        assert process.stdin is not None
        assert process.stdout is not None
        self._to, self._from = process.stdin, process.stdout

    def ready(self, viewers: int) -> float:
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
def load(viewers: int, pid: int, path: str, *more: str) -> Iterator[Load]:
    command = [str(BINARIES / "fanload"), "--url", f"ws://127.0.0.1:{PORT}{path}", "--conns", str(viewers)]
    command += ["--interactive", "--pid", str(pid), *more]
    with running(1, *command) as process:
        yield Load(process)


def show(name: str, viewers: int, rate: float, *, seconds: float, report: Report, wanted: int) -> None:
    complete = report["msgs"] == wanted and report["min"] == report["max"]
    whole = "complete" if complete else "INCOMPLETE"
    cpu = report["srv_cpu"] / max(report["span"], seconds)
    print(
        f"{name:22} {viewers:6} viewers {rate:10,.0f}/s offered"
        f" {report['msgs'] / max(report['span'], 1e-3):10,.0f}/s delivered"
        f"  cpu {100 * cpu:4.0f} %  {1e6 * report['srv_cpu'] / max(report['msgs'], 1):6.2f} us each"
        f"  p50 {report['p50']:6.1f}  p99 {report['p99']:7.1f} ms  {whole}",
        flush=True,
    )


# ── one event a write ────────────────────────────────────────────────────────────────────────────────


def direct(viewers: int, rates: list[float], seconds: float) -> None:
    python = [sys.executable, "-m", "bench.fan_servers"]
    servers = {
        "bare (Rust, epoll)": ([str(BINARIES / "rawfan")], "/ch/0", []),
        "edge": ([*python, "edge"], "/v1/ws", SUBSCRIBE),
        "websockets.broadcast": ([*python, "broadcast"], "/ch/0", []),
    }
    for name, (command, path, more) in servers.items():
        with running(0, *command, "--port", str(PORT), "--ctl", str(CONTROL)) as server:
            control = listening(CONTROL)
            listening(PORT).close()
            before = memory(server.pid)
            with load(viewers, server.pid, path, *more) as generator:
                generator.ready(viewers)
                print(f"{name:22} {(memory(server.pid) - before) / viewers / 1024:5.1f} kB a viewer")
                for rate in rates:
                    generator.say("poll 5")
                    generator.say("reset")
                    start = time.time_ns() + 50_000_000
                    control.sendall(f"pub {rate / viewers} {seconds} 0 200 1 {start}\n".encode())
                    with control.makefile() as answers:
                        count = int(answers.readline().split()[1])
                    report = generator.wait_for(count * viewers)
                    show(name, viewers, rate, seconds=seconds, report=report, wanted=count * viewers)
            control.close()
        time.sleep(0.5)


def wait_ready() -> None:
    """Wait until the edge takes viewers."""
    from kernel.probe import answers

    deadline = time.monotonic() + 20
    while not answers(f"http://127.0.0.1:{PORT}/readyz"):
        assert time.monotonic() < deadline, "the edge is not ready"
        time.sleep(0.1)


# ── from Kafka ───────────────────────────────────────────────────────────────────────────────────────


@contextlib.contextmanager
def kafka_edge(**settings: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """An edge on topics of its own."""
    from confluent_kafka.admin import AdminClient

    from kernel.kafka import apply_topics, client_config
    from kernel.settings import load_settings

    given = {
        "TOUCHLINE_TOPICS_PREFIX": f"bench{secrets.token_hex(4)}",
        "TOUCHLINE_TOPICS_PARTITIONS": "4",
        "TOUCHLINE_EDGE_PORT": str(PORT),
        "TOUCHLINE_LOG_LEVEL": "warning",
        **settings,
    }
    environment = {**os.environ, **given}
    loaded = load_settings(environment)
    apply_topics(loaded, topics(loaded))
    try:
        with running(0, sys.executable, "-m", "touchline", "edge", **given) as server:
            wait_ready()
            yield server, environment
    finally:
        admin = AdminClient(client_config(loaded))
        for done in admin.delete_topics([topic.name for topic in topics(loaded)]).values():
            done.result()


def publish(environment: dict[str, str], rate: float, seconds: float, size: int) -> None:
    """Write fan-out records at a rate, each when it is due (runs as a process of its own)."""
    from confluent_kafka import Producer

    from kernel.kafka import client_config
    from kernel.settings import load_settings
    from kernel.topics import topic_names
    from schemas.codec import Codec

    settings = load_settings(environment)
    producer = Producer(client_config(settings, linger_ms=0, acks="1"))
    codec, topic = Codec("fanout"), topic_names(settings).fanout_live
    base, start, done = time.time_ns() // 1000, time.time_ns() + 50_000_000, 0
    while done < int(rate * seconds):
        due = start + int(done * 1e9 / rate)
        now = time.time_ns()
        if due > now:
            time.sleep((due - now) / 1e9)
            continue
        seq = base + done
        record = {"stream": STREAM, "seq": seq, "server_ts": due // 1_000_000, "body": body(seq, due, size)}
        producer.produce(topic, codec.encode(record), b"bench#1#0")
        producer.poll(0)
        done += 1
    producer.flush(10)


def from_kafka(viewers: int, rates: list[float], seconds: float) -> None:
    with kafka_edge() as (server, environment), load(viewers, server.pid, "/v1/ws", *SUBSCRIBE) as generator:
        generator.ready(viewers)
        for rate in [20 * viewers, *rates]:
            count = int(rate / viewers * seconds)
            generator.say("poll 0")
            generator.say("reset")
            command = [sys.executable, "-m", "bench.edges", "--rate", str(rate / viewers), "publish"]
            subprocess.run(
                ["taskset", "-c", "1", *command, "--seconds", str(seconds)], env=environment, check=True
            )
            report = generator.wait_for(count * viewers)
            show("edge, from Kafka", viewers, rate, seconds=seconds, report=report, wanted=count * viewers)


def crowd(viewers: int) -> None:
    with kafka_edge() as (server, environment):
        before = memory(server.pid)
        with load(viewers, server.pid, "/v1/ws", *SUBSCRIBE) as generator:
            seconds = generator.ready(viewers)
            kilobytes = (memory(server.pid) - before) / viewers / 1024
            print(f"{viewers} viewers connected in {seconds:.1f} s, {kilobytes:.1f} kB each")
            for _ in range(3):
                generator.say("reset")
                publish(environment, 1, 1, 200)
                report = generator.wait_for(viewers)
                print(f"one event: the last of {report['msgs']} had it after {report['maxlat']:.0f} ms")


def comeback(viewers: int, events: int = 100) -> None:
    with kafka_edge() as (server, environment):
        publish(environment, 50, events / 50, 200)
        server.kill()
        server.wait()
        killed = time.monotonic()
        with running(0, sys.executable, "-m", "touchline", "edge", **environment) as again:
            listening(PORT).close()
            first = json.dumps({"op": "subscribe", "id": 1, "stream": STREAM, "after": 1})
            asks = ["--first-frame", first, "--ready-match", '"subscribed"', "--connect-rate", "10000"]
            wait_ready()
            ready = time.monotonic() - killed
            with load(viewers, again.pid, "/v1/ws", *asks) as generator:
                generator.ready(viewers)
                report = generator.wait_for(viewers * events)
                seconds = time.monotonic() - killed
    complete = report["msgs"] == viewers * events and report["min"] == report["max"]
    print(
        f"killed and started again: ready after {ready:.1f} s; {viewers} viewers have all {events} events"
        f" after {seconds:.1f} s, {'complete' if complete else 'INCOMPLETE'}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["direct", "kafka", "crowd", "comeback", "publish"])
    parser.add_argument("--viewers", type=int, default=0)
    parser.add_argument("--rates", default="")
    parser.add_argument("--rate", type=float, default=0)
    parser.add_argument("--seconds", type=float, default=4)
    given = parser.parse_args()
    rates = [float(rate) for rate in given.rates.split(",") if rate]
    if given.what == "publish":
        publish(dict(os.environ), given.rate, given.seconds, 200)
        return
    build()
    if given.what == "direct":
        direct(given.viewers or 1000, rates or [100e3, 160e3, 400e3], given.seconds)
    elif given.what == "kafka":
        from_kafka(given.viewers or 1000, rates or [200e3, 1.6e6], given.seconds)
    elif given.what == "comeback":
        comeback(given.viewers or 10_000)
    else:
        crowd(given.viewers or 10_000)


if __name__ == "__main__":
    main()
