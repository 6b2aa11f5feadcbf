"""From a producer's `send` to a viewer: SDK, Kafka, worker, Kafka, edge, with every role a process.

    python -m bench.pipeline [--rate 1000] [--seconds 10] [--runs 3]

Ten broadcast channels, ten viewers of each. An event carries the time at which it was due, so that a sender
that lags counts as latency. Needs a Kafka (TOUCHLINE_KAFKA_BOOTSTRAP_SERVERS).
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.report.figures import sample
from bench.rig.generator import Report, build, load
from kernel.settings.reading import load_settings
from producers import Broadcast, Producer
from tests.pipeline import running

CHANNELS, VIEWERS = 10, 100
FILLER = "x" * 120
WARM_UP_S = 15


async def send(rate: float, seconds: float) -> None:
    """Post at a rate, each event when it is due (runs as a process of its own)."""
    async with Producer(load_settings()) as producer:
        for channel in range(CHANNELS):
            await producer.send(Broadcast(f"bench-{channel}", "warm_up", {}))
        await asyncio.sleep(0.5)
        start = time.time_ns() + 50_000_000
        async with asyncio.TaskGroup() as sending:
            for number in range(int(rate * seconds)):
                due = start + int(number * 1e9 / rate)
                if (wait := due - time.time_ns()) > 0:
                    await asyncio.sleep(wait / 1e9)
                event = Broadcast(f"bench-{number % CHANNELS}", "goal", {"t": due, "text": FILLER})
                sending.create_task(producer.send(event))


def measure(rate: float, seconds: float, runs: int) -> None:
    servers = load_settings().kafka.bootstrap_servers
    count = int(rate * seconds) * VIEWERS // CHANNELS
    subscribe = {"op": "subscribe", "id": 1, "stream": "broadcast:bench-{k}"}
    asks = ("--first-frame", json.dumps(subscribe), "--ready-match", '"subscribed"')
    with (
        tempfile.TemporaryDirectory(prefix="touchline-bench-") as logs,
        running(servers, "http://127.0.0.1:9", Path(logs), "stream", "edge") as it,
    ):
        environment = {**os.environ, **it.environment}
        sending = [sys.executable, "-m", "bench.pipeline", "--send", "--rate", str(rate), "--seconds"]
        # All code is warm, the broker's too, and groups have settled, before it counts.
        subprocess.run([*sending, str(WARM_UP_S)], env=environment, check=True)
        viewers = load(
            *(VIEWERS, [it.pid("edge")], "/v1/ws", *asks, "--channels", str(CHANNELS)),
            port=it.settings.edge.port,
        )
        with viewers as generator:
            generator.ready(VIEWERS)
            for _ in range(runs):
                generator.say("poll 0")
                generator.say("reset")
                subprocess.run([*sending, str(seconds)], env=environment, check=True)
                show(generator.wait_for(count), rate, count)


def show(report: Report, rate: float, count: int) -> None:
    whole = report["msgs"] == count
    print(
        f"{rate:,.0f} events/s to {VIEWERS} viewers: p50 {report['p50']:.1f} ms,"
        f" p99 {report['p99']:.1f} ms, {'complete' if whole else 'INCOMPLETE'}",
        flush=True,
    )
    if whole:
        sample("pipeline p50", "touchline", report["p50"], rate)
        sample("pipeline p99", "touchline", report["p99"], rate)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rate", type=float, default=1000)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--send", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.send:
        asyncio.run(send(given.rate, given.seconds))
    else:
        build()
        measure(given.rate, given.seconds, given.runs)


if __name__ == "__main__":
    main()
