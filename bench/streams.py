"""How fast is a worker? Events a second of the chat job, beside other ways of doing it, and the latency.

    python -m bench.streams --servers 127.0.0.1:19092 [--events 200000] [--runs 3] [NAME…]
    python -m bench.streams --servers 127.0.0.1:19092 --latency 3000

NAMES: touchline, and those of bench/streams_peers.py. Each run has topics of its own, filled before it
starts. The rate is taken at the fan-out topic, between a tenth and nine tenths of the events: starting up
doesn't count. Latency is from ingest append to fan-out append, both as the broker stamps them.
"""

import argparse
import json
import os
import random
import secrets
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from kernel.kafka import apply_topics
from kernel.positions import partition_of
from kernel.settings import Settings, as_environment, load_settings
from kernel.topics import topics
from schemas.codec import Codec

ROOT = Path(__file__).parents[1]
PARTITIONS = 8
WORDS = ("the", "quick", "brown", "fox", "jumps", "over", "lazy", "dog", "hello", "stream", "chat", "lol")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--servers", default="127.0.0.1:19092")
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--latency", type=float, metavar="RATE")
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("names", nargs="*", default=["bare", "touchline"])
    given = parser.parse_args()
    if given.latency:
        print(json.dumps(latency(given.servers, given.latency, given.seconds)))
        return
    rates: dict[str, list[float]] = {name: [] for name in given.names}
    for run in range(given.runs):
        for name in given.names:
            rates[name].append(throughput(name, given.servers, given.events))
            print(f"run {run + 1}  {name:12} {rates[name][-1]:9,.0f} events/s", flush=True)
    medians = {name: statistics.median(found) for name, found in rates.items()}
    for name, median in sorted(medians.items(), key=lambda pair: -pair[1]):
        print(
            f"{name:12} {median:9,.0f} events/s  {median / medians[given.names[0]]:5.2f} of {given.names[0]}"
        )


def prepare(servers: str) -> Settings:
    """Topics of a run's own."""
    settings = load_settings(
        {
            "TOUCHLINE_KAFKA_BOOTSTRAP_SERVERS": servers,
            "TOUCHLINE_TOPICS_PREFIX": f"bench{secrets.token_hex(3)}",
            "TOUCHLINE_TOPICS_PARTITIONS": str(PARTITIONS),
            "TOUCHLINE_STREAM_PORT": "0",
            "TOUCHLINE_STREAM_GROUP": f"bench-{secrets.token_hex(3)}",
        }
    )
    apply_topics(settings, topics(settings))
    return settings


def drop(settings: Settings) -> None:
    admin = AdminClient({"bootstrap.servers": settings.kafka.bootstrap_servers})
    for future in admin.delete_topics([t.name for t in topics(settings)]).values():
        future.result()


def post(settings: Settings, events: int, *, rate: float = 0.0) -> None:
    """Chat events, as fast as it goes or paced."""
    producer = Producer(
        {
            "bootstrap.servers": settings.kafka.bootstrap_servers,
            "linger.ms": 1 if rate else 50,
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    rng, encode, began = random.Random(1), Codec("ingest-chat").encode, time.perf_counter()
    for number in range(events):
        channel = f"channel-{min(499, int(rng.paretovariate(0.7)) - 1)}"
        event = {"type": "message", "key": f"{number}-{rng.getrandbits(64):016x}", "sender": "ana"}
        data = {"text": " ".join(rng.choices(WORDS, k=rng.randrange(8, 24))), "target": None, "extra": None}
        value = encode({**event, "client_ts": 1_767_225_600_000 + number, "data": data})
        topic = f"{settings.topics.prefix}.ingest.chat"
        producer.produce(topic, value, channel.encode(), partition_of(channel, PARTITIONS))
        if number % (10 if rate else 1000) == 0:
            producer.poll(0)
            ahead = number / rate - (time.perf_counter() - began) if rate else 0
            if ahead > 0:
                time.sleep(ahead)
    producer.flush(60)


def start(name: str, settings: Settings) -> subprocess.Popen[bytes]:
    command = (
        [sys.executable, "-m", "touchline", "stream"]
        if name == "touchline"
        else [
            *(sys.executable, str(ROOT / "bench" / "streams_peers.py"), name),
            *(settings.kafka.bootstrap_servers, settings.topics.prefix),
        ]
    )
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, **as_environment(settings), "PYTHONPATH": path}
    # Some of them greet.
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()


def throughput(name: str, servers: str, events: int) -> float:
    settings = prepare(servers)
    post(settings, events)
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "bench"})
    topic = f"{settings.topics.prefix}.fanout.live"
    process = start(name, settings)
    try:
        first = last = 0.0
        done = at_first = 0
        deadline = time.monotonic() + 120
        while done < events * 0.9:
            done = sum(
                consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=10)[1]
                for p in range(PARTITIONS)
            )
            last = time.perf_counter()
            if not first and done >= events * 0.1:
                first, at_first = last, done
            if process.poll() is not None or time.monotonic() > deadline:
                return done / 120 if process.poll() is None else float("nan")
            time.sleep(0.02)
        return (done - at_first) / (last - first)
    finally:
        end(process)
        consumer.close()
        drop(settings)


def latency(servers: str, rate: float, seconds: float) -> dict[str, float]:
    """Percentiles in milliseconds. The fan-out topic stamps its own append times here, to compare."""
    settings = prepare(servers)
    topic = f"{settings.topics.prefix}.fanout.live"
    _stamp_appends(servers, topic)
    process = start("touchline", settings)
    try:
        time.sleep(8)  # bounded start-up; what comes before the worker is ready is left out below
        post(settings, int(rate * seconds), rate=rate)
        time.sleep(1)
    finally:
        end(process)
    codec, found = Codec("fanout"), []
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "bench", "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, p, 0) for p in range(PARTITIONS)])
    while messages := consumer.consume(10_000, 2.0):
        for message in messages:
            event = codec.decode(message.value() or b"")
            if event["stream"].startswith("chat:"):
                found.append((event["server_ts"], message.timestamp()[1] - event["server_ts"]))
    consumer.close()
    drop(settings)
    found.sort()
    waits = sorted(wait for _, wait in found[len(found) // 10 :])
    at = {f"p{q}": waits[min(len(waits) - 1, len(waits) * q // 100)] for q in (50, 90, 99)}
    return {"rate": rate, "events": len(found), **at, "max": waits[-1]}


def _stamp_appends(servers: str, topic: str) -> None:
    from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

    entry = ConfigEntry(
        "message.timestamp.type", "LogAppendTime", incremental_operation=AlterConfigOpType.SET
    )
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    admin = AdminClient({"bootstrap.servers": servers})
    for future in admin.incremental_alter_configs([resource]).values():
        future.result()


if __name__ == "__main__":
    main()
