"""What traces cost: two pipelines side by side, one with a share of its events traced, one with traces off.

    python -m bench.traces [--share 0.01] [--rate 5000] [--seconds 5] [--turns 8]

Each role is a process: a worker, an edge, an indexer and a gateway, on the same servers. In turn either gets
records on the ingest log at the rate (the share of them with a `traceparent`, as a door writes it) and single
events by HTTP; what counts is the processor time of its roles, by event. Spans go to a receiver that takes
them. Servers: those of the settings (TOUCHLINE_…).
"""

import argparse
import asyncio
import contextlib
import multiprocessing
import random
import tempfile
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median
from typing import Any, Final

from aiohttp import ClientSession
from confluent_kafka import Producer

from bench.report.figures import sample
from kernel.log.kafka import client_config
from kernel.log.positions import Kind
from kernel.log.topics import topic_names
from kernel.process.tracing import TRACEPARENT
from kernel.settings.reading import load_settings
from schemas.ingest import make_ingest
from schemas.registry import codec_for
from tests.pipeline import Pipeline, running

ROLES: Final = ("stream", "edge", "index", "gateway")
CHANNELS: Final = 50
#: Single events by HTTP in a second, beside the records.
POSTS: Final = 100
#: After what was posted: the last roles are done with it.
_REST_S: Final = 2.0
_WARM_UP_S: Final = 10


class _Sink(BaseHTTPRequestHandler):
    """Takes spans, and says so."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


def _take(told: Any) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Sink)
    told.put(server.server_address[1])
    server.serve_forever()


@contextlib.contextmanager
def receiver() -> Iterator[str]:
    """The address of a receiver in a process of its own."""
    told: Any = multiprocessing.Queue()
    process = multiprocessing.Process(target=_take, args=(told,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{told.get()}/v1/traces"
    finally:
        process.terminate()
        process.join()


def spent_ns(pid: int) -> int:
    """The processor time of a process and all its threads so far, to the nanosecond."""
    return time.clock_gettime_ns((~pid << 3) | 2)  # how Linux names another process's clock


class Load:
    """What one pipeline is given."""

    def __init__(self, pipeline: Pipeline, share: float) -> None:
        settings = pipeline.settings
        self._topic, self._share = topic_names(settings).ingest[Kind.CHAT], share
        codec = codec_for(settings, "ingest-chat")
        self._values = [
            codec.encode(make_ingest(Kind.CHAT, None, {"text": f"{n} " + "x" * 120}, sender=f"fan-{n}"))
            for n in range(1000)
        ]
        self._producer = Producer(client_config(settings, linger_ms=5, partitioner="murmur2_random"))
        self._url = f"{pipeline.gateway_url}/v1/streams/chat/"

    async def give(self, rate: float, seconds: float) -> int:
        """How many events it was."""
        _, posted = await asyncio.gather(asyncio.to_thread(self._write, rate, seconds), self._post(seconds))
        return int(rate * seconds) + posted

    def _write(self, rate: float, seconds: float) -> None:
        chance, begun = random.Random(1), time.monotonic()  # the same of both
        for number in range(int(rate * seconds)):
            if number % 100 == 0:
                self._producer.poll(0)
                time.sleep(max(0.0, begun + number / rate - time.monotonic()))
            headers = None
            if chance.random() < self._share:
                trace, span = chance.getrandbits(128) | 1, chance.getrandbits(64) | 1
                headers = [(TRACEPARENT, f"00-{trace:032x}-{span:016x}-01".encode())]
            value, channel = self._values[number % 1000], f"traced-{number % CHANNELS}"
            self._producer.produce(self._topic, value, channel.encode(), headers=headers)
        self._producer.flush()

    async def _post(self, seconds: float) -> int:
        begun, count = time.monotonic(), int(POSTS * seconds)
        async with ClientSession() as http:
            for number in range(count):
                await asyncio.sleep(begun + number / POSTS - time.monotonic())
                url = f"{self._url}traced-{number % CHANNELS}/events"
                async with http.post(url, json={"data": {"text": "by HTTP"}}) as answer:
                    answer.raise_for_status()
        return count


async def measure(
    pipelines: dict[str, Pipeline], share: float, rate: float, seconds: float, turns: int
) -> None:
    loads = {who: Load(each, 0.0 if who == "off" else share) for who, each in pipelines.items()}
    for load in loads.values():
        await load.give(rate, _WARM_UP_S)
    ratios: dict[str, list[float]] = {role: [] for role in (*ROLES, "all")}
    for turn in range(turns):
        each_us: dict[str, dict[str, float]] = {}
        for who in sorted(loads, reverse=turn % 2 == 1):
            pids = {role: pipelines[who].pid(role) for role in ROLES}
            before = {role: spent_ns(pid) for role, pid in pids.items()}
            count = await loads[who].give(rate, seconds)
            await asyncio.sleep(_REST_S)
            us = {role: (spent_ns(pid) - before[role]) / 1000 / count for role, pid in pids.items()}
            each_us[who] = us | {"all": sum(us.values())}
            sample("traces", who, each_us[who]["all"])
        other = next(who for who in loads if who != "off")
        for role, found in ratios.items():
            found.append(each_us[other][role] / each_us["off"][role])
        told = ", ".join(f"{who} {us['all']:.1f} us" for who, us in each_us.items())
        print(f"turn {turn + 1}: {told}, ratio {ratios['all'][-1]:.3f}", flush=True)
    for role, found in ratios.items():
        print(f"{role:8} ratio {median(found):.3f} ({min(found):.3f} to {max(found):.3f})", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--share", type=float, default=0.01)
    parser.add_argument("--rate", type=float, default=5000)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--turns", type=int, default=8)
    given = parser.parse_args()
    settings, who = load_settings(), f"{given.share:.0%} traced"
    servers, url = settings.kafka.bootstrap_servers, settings.elasticsearch.url
    with (
        receiver() as endpoint,
        tempfile.TemporaryDirectory(prefix="touchline-bench-") as name,
        contextlib.ExitStack() as both,
    ):
        pipelines = {}
        for one, sampled in (("off", 0.0), (who, given.share)):
            logs = Path(name) / one.replace(" ", "-")
            logs.mkdir()
            traced = {"TOUCHLINE_TRACES_SAMPLE": str(sampled), "TOUCHLINE_TRACES_ENDPOINT": endpoint}
            pipelines[one] = both.enter_context(running(servers, url, logs, *ROLES, **traced))
        asyncio.run(measure(pipelines, given.share, given.rate, given.seconds, given.turns))


if __name__ == "__main__":
    main()
