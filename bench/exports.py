"""Exports in rows a second, and what is asked while somebody types, by HTTP from a gateway of its own.

    python -m bench.exports [--documents 200000] [--asked 300]

Hits and a stream as NDJSON and CSV, all of them; suggestions and searches with operators, p50 and p99;
counts. The memory of the gateway while it exports is told too: it does not grow with what it sends.

Servers: those of the settings (TOUCHLINE_…), under a prefix of its own, which is removed at the end.
"""

import argparse
import os
import secrets
import subprocess
import sys
import time
from http.client import HTTPConnection
from statistics import median
from urllib.parse import urlencode

import psutil
import uvloop

from bench.indexer import index_all
from bench.report.figures import quantile, sample
from bench.rig.corpus import CHANNELS, clean, deployment, messages
from embedded.ports import find_free
from kernel.clock import SystemClock
from kernel.log.positions import Kind
from kernel.settings.reading import as_environment
from tests.accepted import write

CLOCK = SystemClock()
TYPED = ("from:user-1", "in:channel", "goal ke", "has:", "penal", "goal from:user-2", "midf", "type:")
ASKED = (
    "goal from:user-12*",
    "keeper in:channel-3",
    "penalty after:1h -from:user-7",
    "goal OR from:user-5 kind:chat",
)
COUNTED = {"q": "goal", "interval": "1m", "by": "sender", "size": "10", "channel": "channel-1"}


def taken(port: int, path: str, **given: str) -> tuple[int, float]:
    """Lines of an answer, and the seconds that it took."""
    connection = HTTPConnection("127.0.0.1", port, timeout=120)
    begun, lines = time.perf_counter(), 0
    connection.request("GET", f"{path}?{urlencode(given)}")
    response = connection.getresponse()
    if response.status != 200:
        raise SystemExit(response.read().decode())
    while part := response.read1(1 << 18):
        lines += part.count(b"\n")
    connection.close()
    return lines, time.perf_counter() - begun


def asked(port: int, times: int, path: str, queries: tuple[dict[str, str], ...]) -> list[float]:
    """What each took, in milliseconds, on one connection."""
    connection, took = HTTPConnection("127.0.0.1", port, timeout=60), []
    for number in range(times):
        begun = time.perf_counter()
        connection.request("GET", f"{path}?{urlencode(queries[number % len(queries)])}")
        response = connection.getresponse()
        response.read()
        if response.status != 200:
            raise SystemExit(f"{path} answers {response.status}")
        took.append((time.perf_counter() - begun) * 1000)
    connection.close()
    return took[len(queries) :]


def measure(port: int, gateway: psutil.Process, times: int, documents: int) -> None:
    streamed = documents // CHANNELS
    for title, path, rows in (
        ("hits", "/v1/search", documents),
        ("a stream", "/v1/streams/chat/channel-1/events", streamed),
    ):
        for form in ("ndjson", "csv"):
            before = gateway.memory_info().rss
            lines, took = taken(port, path, format=form)
            grown = (gateway.memory_info().rss - before) / 2**20
            if lines < rows:
                raise SystemExit(f"{lines} lines of {rows}")
            sample(f"export {title}", form, rows / took)
            grew = f"the gateway grew by {grown:.0f} MB"
            print(f"export of {title} as {form}: {rows / took:,.0f} rows/s, {grew}", flush=True)
    for title, path, queries in (
        ("suggestions", "/v1/search/suggest", tuple({"q": q} for q in TYPED)),
        ("searches with operators", "/v1/search", tuple({"q": q} for q in ASKED)),
        ("counts by minute and sender", "/v1/search", (COUNTED,)),
        ("words that stand out", "/v1/search", ({"q": "goal", "standout": "1", "channel": "channel-1"},)),
        ("the list of channels", "/v1/channels", ({"sort": "activity"},)),
    ):
        each = asked(port, times if path.endswith("suggest") else times // 3, path, queries)
        sample(title, "gateway", median(each))
        print(f"{title}: p50 {median(each):.1f} ms, p99 {quantile(each, 0.99):.1f} ms", flush=True)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--documents", type=int, default=200_000)
    arguments.add_argument("--asked", type=int, default=300)
    given = arguments.parse_args()
    settings, port = deployment(f"bench-{secrets.token_hex(3)}"), find_free()
    begun = CLOCK.now_ms() - given.documents
    write(settings, Kind.CHAT, messages(given.documents, first=1, since_ms=begun))
    environment = {**os.environ, **as_environment(settings), "TOUCHLINE_GATEWAY_PORT": str(port)}
    try:
        uvloop.run(index_all(settings, publish_s=1))
        process = subprocess.Popen([sys.executable, "-m", "touchline", "gateway"], env=environment)
        try:
            until = time.monotonic() + 60
            while True:
                try:
                    taken(port, "/readyz")
                    break
                except (OSError, SystemExit):
                    if time.monotonic() > until:
                        raise
                    time.sleep(0.2)
            measure(port, psutil.Process(process.pid), given.asked, given.documents)
        finally:
            process.terminate()
            process.wait(20)
    finally:
        clean(settings)


if __name__ == "__main__":
    main()
