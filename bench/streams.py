"""How fast is a worker? Events a second of the chat job, beside other ways of doing it, and the latency.

    python -m bench.streams --servers 127.0.0.1:19092 [--events 200000] [--runs 3] [NAME…]
    python -m bench.streams --servers 127.0.0.1:19092 --latency 2500 [NAME…]
    python -m bench.streams --servers 127.0.0.1:19092 --workers 1 2
    python -m bench.streams --servers 127.0.0.1:19092 --memory 600

NAMES: touchline, and those of bench/peers/streams.py. Each run has topics of its own.

Rates: the topic is filled first, and the rate is taken at the fan-out topic between a tenth and nine tenths
of the events: starting up doesn't count. Latency is from ingest append to fan-out append, both as the broker
stamps them; all names in turns, with the same linger. Workers: so many beside one another, on evenly spread
channels. Memory: one worker that is never without work. CPU is user and system time of the processes.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import psutil
from confluent_kafka import Consumer, TopicPartition

from bench.rig.workers import (
    PARTITIONS,
    Poster,
    Written,
    brokers,
    configure,
    drop,
    end,
    prepare,
    spent,
    start,
)
from kernel.log.topics import topic_names
from schemas.codec import Codec

#: How long a process may take until the first event has come out.
START_S = 60.0
#: So long is the load, of each of those who are compared, before the first one whose latency counts: after
#: 20 s the first run was the worst of three by far, the bare loop's as well.
WARM_UP_S = 60.0
#: Records that wait for a worker while its memory is measured: enough, and not more than that.
BACKLOG = 100_000
MIB = 1024 * 1024


class Rate(NamedTuple):
    """Events a second, and microseconds of CPU for each event: the processes', and the broker's."""

    per_s: float
    cpu_us: float
    broker_us: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--servers", default="127.0.0.1:19092")
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--latency", type=float, metavar="RATE")
    parser.add_argument("--seconds", type=float, default=15.0, help="of load, for the latency")
    parser.add_argument("--workers", type=int, nargs="+", metavar="COUNT")
    parser.add_argument("--memory", type=float, metavar="SECONDS")
    parser.add_argument("--window", type=float, default=30.0, help="repeat_window_s, for the memory")
    parser.add_argument("names", nargs="*", default=["bare", "touchline"])
    given = parser.parse_args()
    if given.latency:
        compare_latency(given.servers, given.names, given.latency, given.seconds, given.runs)
    elif given.workers:
        counts = {f"{n} worker{'s' * (n > 1)}": n for n in given.workers}
        compare(
            {what: partial(several, given.servers, given.events, n) for what, n in counts.items()}, given.runs
        )
    elif given.memory:
        memory(given.servers, given.memory, given.window)
    else:
        compare(
            {name: partial(throughput, name, given.servers, given.events) for name in given.names}, given.runs
        )


def compare(ways: dict[str, Callable[[], Rate]], runs: int) -> None:
    """All ways in turns, then the median of each, beside the first one's."""
    found: dict[str, list[Rate]] = {name: [] for name in ways}
    for run in range(runs):
        for name, measure in ways.items():
            found[name].append(rate := measure())
            print(f"run {run + 1}  {name:12} {rate.per_s:9,.0f} events/s", flush=True)
    first = statistics.median(rate.per_s for rate in next(iter(found.values())))
    for name, rates in found.items():
        speeds = sorted(rate.per_s for rate in rates)
        median = statistics.median(speeds)
        print(
            f"{name:12} {median:9,.0f} events/s  {median / first:5.2f} of {next(iter(found))}"
            f"  (from {speeds[0]:,.0f} to {speeds[-1]:,.0f};"
            f" CPU of an event {statistics.median(r.cpu_us for r in rates):.0f} µs,"
            f" the broker's {statistics.median(r.broker_us for r in rates):.0f})"
        )


def throughput(name: str, servers: str, events: int) -> Rate:
    """One process, and as many events as wait for it when it starts."""
    settings = prepare(servers)
    Poster(settings).post(events)
    written, process = Written(settings), start(name, settings)
    try:
        written.wait_for(events // 10, START_S, [process])
        at_first, first, pids = written(), time.perf_counter(), brokers()
        before, before_broker = spent([process.pid]), spent(pids)
        written.wait_for(events * 9 // 10, 120, [process])
        done, last = written() - at_first, time.perf_counter()
        cpu, broker = spent([process.pid]) - before, spent(pids) - before_broker
        return Rate(done / (last - first), cpu / done * 1e6, broker / done * 1e6)
    except TimeoutError:
        return Rate(*[float("nan")] * 3)
    finally:
        end(process)
        written.close()
        drop(settings)


def several(servers: str, events: int, count: int) -> Rate:
    """So many workers of one group. They share the partitions out while they start: the rate is the median
    second's from there on."""
    settings = prepare(servers)
    poster = Poster(settings, even=True)
    poster.post(events)
    written, processes = Written(settings), [start("touchline", settings) for _ in range(count)]
    try:
        written.wait_for(events // 5, START_S, processes)
        pids, workers = brokers(), [process.pid for process in processes]
        before, before_broker, began = spent(workers), spent(pids), written()
        seconds = [(time.perf_counter(), began)]
        while seconds[-1][1] < events * 9 // 10:
            time.sleep(0.5)
            seconds.append((time.perf_counter(), written()))
        done = seconds[-1][1] - began
        cpu, broker = spent(workers) - before, spent(pids) - before_broker
        rates = [(n2 - n1) / (t2 - t1) for (t1, n1), (t2, n2) in pairwise(seconds)]
        return Rate(statistics.median(rates), cpu / done * 1e6, broker / done * 1e6)
    finally:
        for process in processes:
            end(process)
        written.close()
        drop(settings)


def compare_latency(servers: str, names: Sequence[str], rate: float, seconds: float, runs: int) -> None:
    """All names in turns; then the median of each percentile, beside the first one's."""
    warm_up(servers, names, rate)
    found: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for _ in range(runs):
        for name in names:
            found[name].append(one := latency(name, servers, rate, seconds))
            print(json.dumps({"name": name, **one}), flush=True)
    for name in found:
        for q in ("p50", "p90", "p99"):
            ours, first = (statistics.median(m[q] for m in found[n]) for n in (name, names[0]))
            print(f"{name:12} {q} {ours:5.0f} ms  {ours / max(first, 1):5.2f} of {names[0]}")


def warm_up(servers: str, names: Sequence[str], rate: float, seconds: float = WARM_UP_S) -> None:
    """A broker that has just been started compiles its code, on the same cores, for minutes."""
    for name in names:
        throughput(name, servers, int(rate * seconds))
    for name in names:
        latency(name, servers, rate, seconds)


def latency(name: str, servers: str, rate: float, seconds: float) -> dict[str, float]:
    """Percentiles in milliseconds. The fan-out topic stamps its own append times here, to compare."""
    settings = prepare(servers)
    topic = topic_names(settings).fanout_live
    configure(settings, topic, message_timestamp_type="LogAppendTime")
    process = start(name, settings, settings.stream.linger_ms)
    poster, written = Poster(settings, linger_ms=1), Written(settings)
    try:
        poster.post(1)
        written.wait_for(1, START_S, [process])
        psutil.cpu_percent()
        poster.post(int(rate * seconds), rate=rate)
        busy = psutil.cpu_percent()
        written.wait_for(poster.posted, 10, [process])
    finally:
        end(process)
        written.close()
    waits = sorted(_waits(servers, topic)[poster.posted // 10 :])
    drop(settings)
    by_length = sorted(wait for _, wait in waits)
    at = {f"p{q}": by_length[min(len(by_length) - 1, len(by_length) * q // 100)] for q in (50, 90, 99)}
    return {"rate": rate, "events": len(waits), **at, "max": by_length[-1], "machine_busy_percent": busy}


def _waits(servers: str, topic: str) -> list[tuple[int, int]]:
    """(ingest append, milliseconds until fan-out append) of each event, oldest first."""
    codec, found = Codec("fanout"), []
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "bench", "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, p, 0) for p in range(PARTITIONS)])
    while messages := consumer.consume(10_000, 2.0):
        for message in messages:
            event = codec.decode(message.value() or b"")
            if event["stream"].startswith("chat:"):
                found.append((event["server_ts"], message.timestamp()[1] - event["server_ts"]))
    consumer.close()
    return sorted(found)


def memory(servers: str, seconds: float, window_s: float) -> None:
    """A worker that always has something to do: its resident memory, at the end of each tenth of the time."""
    settings = prepare(servers, TOUCHLINE_STREAM_REPEAT_WINDOW_S=str(window_s))
    names = topic_names(settings)
    for topic in (*names.ingest.values(), *names.events.values(), names.fanout_live):
        configure(
            settings, topic, retention_bytes="100000000", segment_bytes="50000000", compression_type="lz4"
        )
    process, poster, written = start("touchline", settings), Poster(settings), Written(settings)
    try:
        poster.post(BACKLOG)
        written.wait_for(1, START_S, [process])
        began, tenths, done = time.monotonic(), 0, 0
        while tenths < 10:
            if poster.posted - written() < BACKLOG:
                poster.post(BACKLOG // 10)
            else:
                time.sleep(0.05)
            if time.monotonic() - began >= seconds * (tenths + 1) / 10:
                tenths += 1
                now, resident = written(), psutil.Process(process.pid).memory_info().rss
                per_s, done = (now - done) / (seconds / 10), now
                after = time.monotonic() - began
                print(f"after {after:4.0f} s  {per_s:7,.0f} events/s  {resident / MIB:6.0f} MiB", flush=True)
    finally:
        end(process)
        written.close()
        drop(settings)


if __name__ == "__main__":
    main()
