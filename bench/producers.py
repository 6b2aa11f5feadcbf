"""How fast events get into Kafka: the SDK, HTTP ingest and other clients, side by side on the same broker.

    python -m bench.producers --kafka 127.0.0.1:19092 [--events 200000] [--rounds 3] [--peers] [--sweep]

Each way sends the same 200-byte chat events to fifty channels and is done when Kafka has confirmed the last.
Rounds are interleaved, so that a busy machine is busy for all, and the median counts. The ratio is to the
bare confluent-kafka producer, which sends ready-made bytes with the same settings and counts its reports.
With --sweep it tries lingers and compressions instead: the rate of the SDK, and the time to confirmation.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable

from msgspec.structs import replace

from bench.peers import installing
from bench.peers.producers import CHANNELS, TEXTS, aiokafka, bare, faststream, performance, posts
from bench.report.figures import quantile, sample
from kernel.log.kafka import apply_topics
from kernel.log.positions import Kind, Stream
from kernel.log.topics import topics
from kernel.settings.reading import Settings, as_environment, load_settings
from producers import Chat, Producer, SyncProducer

GATEWAY_PORT = 22085


def sdk(settings: Settings, count: int) -> float:
    async def run() -> float:
        async with Producer(settings) as producer:
            await producer.send(Chat("warm", "up"))
            made = posts(count)
            began = time.perf_counter()
            assert await producer.send_many(made) == count
            return time.perf_counter() - began

    return asyncio.run(run())


def sdk_sync(settings: Settings, count: int) -> float:
    with SyncProducer(settings) as producer:
        producer.send(Chat("warm", "up"))
        made = posts(count)
        began = time.perf_counter()
        assert producer.send_many(made) == count
        return time.perf_counter() - began


def http(_: Settings, count: int) -> float:
    """NDJSON to a running gateway, in one request."""
    lines = [
        json.dumps({"key": post.key, "sender": post.sender, "data": {"text": post.text}})
        for post in posts(count)
    ]
    request = urllib.request.Request(  # noqa: S310 - loopback
        f"http://127.0.0.1:{GATEWAY_PORT}/v1/streams/{Stream(Kind.CHAT, 'channel-1')}/events".replace(
            "chat:", "chat/"
        ),
        "\n".join(lines).encode(),
        {"Content-Type": "application/x-ndjson"},
    )
    began = time.perf_counter()
    with urllib.request.urlopen(request) as response:  # noqa: S310
        answer = json.load(response)
    took = time.perf_counter() - began
    assert answer["accepted"] == count, answer
    return took


def latency(settings: Settings, *, rate: int = 500, seconds: float = 5) -> list[float]:
    """Milliseconds from `send` to Kafka's confirmation, at a steady rate."""

    async def run() -> list[float]:
        found: list[float] = []

        async def one(producer: Producer, number: int) -> None:
            began = time.perf_counter()
            await producer.send(Chat(CHANNELS[number % len(CHANNELS)], TEXTS[number % len(TEXTS)]))
            found.append((time.perf_counter() - began) * 1000)

        async with Producer(settings) as producer:
            await producer.send(Chat("warm", "up"))
            began, sending = time.perf_counter(), []
            for number in range(int(rate * seconds)):
                await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
                sending.append(asyncio.create_task(one(producer, number)))
            await asyncio.gather(*sending)
        return found

    return asyncio.run(run())


def sweep(settings: Settings, count: int, rounds: int) -> None:
    """Each linger with each compression: the SDK's rate, and the time to confirmation at a steady rate."""
    print("compression  linger  events/s   p50 ms   p99 ms", flush=True)
    for kind in ("none", "lz4", "zstd"):
        for linger in (0.0, 2.0, 5.0, 10.0):
            own = replace(settings.producer, linger_ms=linger, compression=kind)
            tried = replace(settings, producer=own)
            rate = statistics.median(count / sdk(tried, count) for _ in range(rounds))
            waited = latency(tried, seconds=2)
            middle, slow = quantile(waited, 0.5), quantile(waited, 0.99)
            print(f"{kind:11} {linger:5.0f} ms {rate:9,.0f} {middle:8.1f} {slow:8.1f}", flush=True)


def gateway(settings: Settings) -> subprocess.Popen[bytes]:
    """A gateway process of our own, ready."""
    process = subprocess.Popen(
        [sys.executable, "-m", "touchline", "gateway"], env={**os.environ, **as_environment(settings)}
    )
    for _ in range(200):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{GATEWAY_PORT}/readyz"):
                return process
        except OSError:
            time.sleep(0.1)
    process.kill()
    raise AssertionError("the gateway is not ready after 20 s")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kafka", default=load_settings().kafka.bootstrap_servers)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5, help="of each round of the time to confirmation")
    parser.add_argument(
        "--peers", action="store_true", help="aiokafka and FastStream too (uv sync --group bench)"
    )
    parser.add_argument("--sweep", action="store_true", help="lingers and compressions instead")
    given = parser.parse_args()
    base = load_settings(
        {"TOUCHLINE_KAFKA_BOOTSTRAP_SERVERS": given.kafka, "TOUCHLINE_TOPICS_PREFIX": "bench"}
    )
    settings = replace(
        base, gateway=replace(base.gateway, port=GATEWAY_PORT), log=replace(base.log, level="error")
    )
    apply_topics(settings, topics(settings))
    if given.sweep:
        sweep(settings, given.events, given.rounds)
        return
    ways: dict[str, tuple[Callable[[Settings, int], float], float]] = {
        "bare confluent-kafka": (bare, 1),
        "SDK, asyncio": (sdk, 1),
        "SDK, threads": (sdk_sync, 1),
        "HTTP NDJSON": (http, 1),
    }
    if given.peers:
        if "ProducerPerformance" not in installing.absent():
            ways["ProducerPerformance (JVM)"] = (performance, 5)
        ways |= {"aiokafka": (aiokafka, 0.25), "FastStream": (faststream, 0.05)}
    process = gateway(settings)
    try:
        rates: dict[str, list[float]] = {name: [] for name in ways}
        for way, share in ways.values():  # code, connections and the broker's files are warm when it counts
            way(settings, max(1000, int(given.events * share / 20)))
        for _ in range(given.rounds):
            for name, (way, share) in ways.items():
                count = int(given.events * share)
                rates[name].append(count / way(settings, count))
                sample("posting", name, rates[name][-1])
    finally:
        process.terminate()
        process.wait()
    reference = statistics.median(rates["bare confluent-kafka"])
    for name, found in rates.items():
        middle = statistics.median(found)
        rounds = ", ".join(f"{rate:,.0f}" for rate in found)
        print(f"{name:25} {middle:10,.0f} events/s {middle / reference:6.2f} of bare   (rounds: {rounds})")
    for _ in range(given.rounds):
        times = latency(settings, seconds=given.seconds)
        middle, slow = quantile(times, 0.5), quantile(times, 0.99)
        sample("confirmation p50", "SDK, asyncio", middle, 500)
        sample("confirmation p99", "SDK, asyncio", slow, 500)
        print(f"send to confirmation at 500/s: p50 {middle:.1f} ms, p99 {slow:.1f} ms", flush=True)


if __name__ == "__main__":
    main()
