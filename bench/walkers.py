"""From an update to a friend's screen: 10,000 people connected, 40 friends of each too, 5,000 updates/s.

    python -m bench.walkers [--people 10000] [--rate 5000] [--seconds 8] [--runs 2]

Kafka, a worker and an edge, each a process; friendships lie in their topic before these start. People live
about a city as wide as London and look 5 miles around. An update carries the time at which it was due, so
that a sender that lags counts as latency. Then somebody with 5,000 friends looks and moves each second, and
what that costs the others is compared; and before all of it, how long the first page takes of somebody with
400 friends, of whom a tenth is there.
Needs a Kafka (TOUCHLINE_KAFKA_BOOTSTRAP_SERVERS).
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np
import psutil
from confluent_kafka import Producer
from websockets.sync.client import ClientConnection, connect

from bench.report.figures import sample
from bench.rig.generator import Load, Report, build, load
from control.entity.types import EntityType, Stamp
from control.entity.writer import partition_of_key
from control.nearby.friends import Friend, friend_key
from control.nearby.sharing import Sharing, sharing_key
from control.nearby.table import friend_type, sharing_type
from kernel.access.users import user_channel
from kernel.log.positions import Kind
from kernel.log.topics import topic_names
from kernel.settings.reading import Settings, load_settings
from schemas.codec import Codec
from tests.pipeline import Pipeline

_LAT, _LON = 51.5, -0.12
#: Degrees: about 20 km, so that one in ten of somebody's friends is near.
_NORTH, _EAST = 0.18, 0.29
_FRIENDS: Final = 40
_STAR, _POPULAR = "star", "popular"
_STARS_FRIENDS, _POPULARS_FRIENDS = 5000, 400
_WARM_UP_S: Final = 15.0
_PAGES: Final = 40
_ASKS: Final = (
    "--first-frame",
    json.dumps({"op": "nearby", "id": 1, "lat": _LAT, "lon": _LON, "within": "5mi"}),
    *("--ready-match", '"more"'),
    *("--stamp", '"at":"'),
    *("--sample", "1"),
)


def homes(people: int) -> list[tuple[float, float]]:
    """Where each lives."""
    random = np.random.default_rng(1)
    return list(
        zip(
            random.normal(_LAT, _NORTH, people).tolist(),
            random.normal(_LON, _EAST, people).tolist(),
            strict=True,
        )
    )


def pairs(people: int) -> Iterator[tuple[str, str]]:
    """Who is whose friend: some 40 each, and the two who have many."""
    random = np.random.default_rng(2)
    for one in range(people):
        for other in random.choice(people, _FRIENDS // 2, replace=False).tolist():
            if other != one:
                yield f"u{one}", f"u{other}"
    for other in range(min(_STARS_FRIENDS, people)):
        yield _STAR, f"u{other}"
    for other in range(_POPULARS_FRIENDS):  # of whom a tenth is there
        yield _POPULAR, f"u{other}" if other % 10 == 0 else f"absent{other}"


def write_friends(settings: Settings, people: int) -> int:
    """Friendships and consent as workers would have written them; how many friendships."""
    producer = Producer({"bootstrap.servers": settings.kafka.bootstrap_servers, "linger.ms": 50})
    partitions = settings.topics.partitions
    friends, sharing = friend_type(settings), sharing_type(settings)

    def write(type_: EntityType[Any], key: bytes, state: Any) -> None:
        value = type_.encode(type_.with_stamp(state, Stamp(1)))
        partition = partition_of_key(type_.entity_of(key), partitions)
        while True:
            try:
                producer.produce(type_.topic, value, key, partition)
                return
            except BufferError:
                producer.poll(0.1)

    number = 0
    for one, other in pairs(people):
        number += 1
        for a, b in ((one, other), (other, one)):
            write(friends, friend_key(a, b), Friend(user=a, friend=b, state="friends", since=1))
    for user in (*(f"u{n}" for n in range(people)), _STAR):
        write(sharing, sharing_key(user).encode(), Sharing(user=user, on=True, since=1))
    producer.flush(60)
    return number


def post(people: int, rate: float, seconds: float) -> None:
    """Where people are, one after the other, each when it is due (runs as a process of its own)."""
    settings = load_settings()
    producer = Producer({"bootstrap.servers": settings.kafka.bootstrap_servers, "linger.ms": 5})
    topic, encode = topic_names(settings).ingest[Kind.LOCATION], Codec("ingest-location").encode
    random, where = np.random.default_rng(int(time.time())), homes(people)
    steps = random.normal(0, 0.0005, (people, 2)).tolist()
    keys = [user_channel(f"u{n}").encode() for n in range(people)]
    offset, ready = int(random.integers(0, people)), []
    # All of it is made before it begins: making it takes the cores that are measured.
    start = time.time() + 0.5 + rate * seconds * 40e-6
    for number in range(int(rate * seconds)):
        user = (number + offset) % people
        (lat, lon), (north, east) = where[user], steps[(number * 7) % people]
        data = {"lat": lat + north, "lon": lon + east, "accuracy": None, "heading": None, "speed": None}
        event = {"type": "position", "key": None, "sender": f"u{user}", "data": {**data, "extra": None}}
        ready.append((encode(event | {"client_ts": int((start + number / rate) * 1000)}), keys[user]))
    for number, (value, key) in enumerate(ready):
        while (wait := start + number / rate - time.time()) > 0:
            producer.poll(0)
            time.sleep(min(wait, 0.005))
        producer.produce(topic, value, key)
    producer.flush(30)


def ask(connection: ClientConnection, **given: Any) -> dict[str, Any]:
    """The answer to what is asked, past whatever is pushed."""
    connection.send(json.dumps({"op": "nearby", "id": 7, **given}))
    while True:
        answer: dict[str, Any] = json.loads(connection.recv(timeout=30))
        if answer.get("id") == 7:
            return answer


def first_page(url: str) -> float:
    """Milliseconds until somebody with 400 friends has the first page, on a connection of its own: median."""
    taken = []
    for _ in range(_PAGES):
        with connect(f"{url}?user={_POPULAR}") as connection:
            connection.recv(timeout=10)  # the welcome
            began = time.perf_counter()
            answer = ask(connection, lat=_LAT, lon=_LON, within="500km")
            taken.append((time.perf_counter() - began) * 1000)
            assert (len(answer["friends"]), answer["more"]) == (20, True), answer
    return median(taken)


@contextlib.contextmanager
def star(url: str) -> Iterator[list[int]]:
    """Somebody with 5,000 friends, who looks anew and moves each second; yields how often they did."""
    done, looked = threading.Event(), [0]

    def look() -> None:
        with connect(f"{url}?user={_STAR}", max_size=None) as connection:
            while not done.wait(1.0):
                north = (looked[0] % 100) * 1e-4
                ask(connection, lat=_LAT + north, lon=_LON, within="5mi")
                connection.send(json.dumps({"op": "locate", "lat": _LAT + north, "lon": _LON}))
                looked[0] += 1

    looks = threading.Thread(target=look)
    looks.start()
    try:
        yield looked
    finally:
        done.set()
        looks.join(30)


class Bench:
    """One cluster with people on it."""

    def __init__(self, pipeline: Pipeline, generator: Load, people: int) -> None:
        self._pipeline, self._generator, self._people = pipeline, generator, people

    def post(self, rate: float, seconds: float) -> None:
        command = [sys.executable, "-m", "bench.walkers", "--post", "--people", str(self._people)]
        command += ["--rate", str(rate), "--seconds", str(seconds)]
        subprocess.run(command, env={**os.environ, **self._pipeline.environment}, check=True)

    def run(self, rate: float, seconds: float) -> Report:
        """Post at this rate; what came of it."""
        worker = psutil.Process(self._pipeline.pid("stream"))
        self._generator.say("reset")
        before = sum(worker.cpu_times()[:2])
        self.post(rate, seconds)
        report = self._generator.wait_for(1 << 60)
        assert report["msgs"], "nobody was told of anything"
        report["worker_cpu"] = sum(worker.cpu_times()[:2]) - before
        return report


def measure(people: int, rates: Iterable[float], seconds: float, runs: int) -> None:
    servers = load_settings().kafka.bootstrap_servers
    with tempfile.TemporaryDirectory(prefix="touchline-bench-") as logs, contextlib.ExitStack() as stack:
        many = {"TOUCHLINE_LIMITS_READS_PER_S": "1000", "TOUCHLINE_EDGE_MAX_CONNECTIONS": "20000"}
        pipeline = Pipeline(servers, "http://127.0.0.1:9", Path(logs), **many)
        stack.callback(pipeline.close)
        number = write_friends(pipeline.settings, people)
        pipeline.start("stream", "edge")
        print(f"{people:,} people, {number:,} friendships", flush=True)
        viewers = load(
            *(people, [pipeline.pid("edge")], "/v1/ws?user=u{i}", *_ASKS, "--connect-rate", "500"),
            port=pipeline.settings.edge.port,
        )
        generator = stack.enter_context(viewers)
        seconds_in = generator.ready(people)
        print(f"all look after {seconds_in:.1f} s", flush=True)
        generator.say("poll 0")
        bench = Bench(pipeline, generator, people)
        bench.post(min(rates), _WARM_UP_S)
        page = first_page(pipeline.edge_url)
        print(f"first page of 400 friends: {page:.1f} ms", flush=True)
        sample("nearby page", "touchline", page)
        for rate in rates:
            alone = [show(bench.run(rate, seconds), rate, seconds) for _ in range(runs)]
            with star(pipeline.edge_url) as looked:
                beside = [bench.run(rate, seconds) for _ in range(runs)]
            slower = median(one["p50"] for one in beside) / median(one["p50"] for one in alone)
            print(
                f"with somebody of 5,000 friends, who looked {looked[0]} times: p50 x {slower:.2f}",
                flush=True,
            )
            sample("nearby star", "touchline", slower, rate)


def show(report: Report, rate: float, seconds: float) -> Report:
    pushes, edge = report["msgs"] / seconds, report["srv_cpu"] / seconds
    worker, held = report["worker_cpu"] / seconds, report["srv_rss"] / 1e6
    print(
        f"{rate:,.0f} updates/s, {rate * _FRIENDS:,.0f} looks/s: {pushes:,.0f} pushes/s,"
        f" p50 {report['p50']:.1f} ms, p99 {report['p99']:.1f} ms; edge {edge:.0%} of a core, {held:.0f} MB;"
        f" worker {worker:.0%}",
        flush=True,
    )
    sample("nearby p50", "touchline", report["p50"], rate)
    sample("nearby p99", "touchline", report["p99"], rate)
    sample("nearby edge", "touchline", 100 * edge, rate)
    sample("nearby worker", "touchline", 100 * worker, rate)
    sample("nearby held", "touchline", held, rate)
    sample("nearby pushes", "touchline", pushes, rate)
    return report


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--people", type=int, default=10_000)
    parser.add_argument("--rate", type=float, action="append")
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--post", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    rates = given.rate or [5000.0]
    if given.post:
        post(given.people, rates[0], given.seconds)
    else:
        build()
        measure(given.people, rates, given.seconds, given.runs)


if __name__ == "__main__":
    main()
