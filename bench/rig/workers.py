"""What the workers' measurements share: topics, events, the processes, and what those spend."""

import os
import random
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import psutil
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from bench.peers import installing
from kernel.log.kafka import apply_topics
from kernel.log.positions import partition_of
from kernel.log.topics import topic_names, topics
from kernel.settings.reading import Settings, as_environment, load_settings
from schemas.codec import Codec

ROOT = Path(__file__).parents[2]
PARTITIONS = 8
CHANNELS = 500
WORDS = ("the", "quick", "brown", "fox", "jumps", "over", "lazy", "dog", "hello", "stream", "chat", "lol")


def prepare(servers: str, **given: str) -> Settings:
    """Topics of a run's own."""
    settings = load_settings(
        {
            "TOUCHLINE_KAFKA_BOOTSTRAP_SERVERS": servers,
            "TOUCHLINE_TOPICS_PREFIX": f"bench{secrets.token_hex(3)}",
            "TOUCHLINE_TOPICS_PARTITIONS": str(PARTITIONS),
            "TOUCHLINE_STREAM_PORT": "0",
            "TOUCHLINE_STREAM_GROUP": f"bench-{secrets.token_hex(3)}",
            **given,
        }
    )
    apply_topics(settings, topics(settings))
    return settings


def drop(settings: Settings) -> None:
    admin = AdminClient({"bootstrap.servers": settings.kafka.bootstrap_servers})
    for future in admin.delete_topics([t.name for t in topics(settings)]).values():
        future.result()


def configure(settings: Settings, topic: str, **properties: str) -> None:
    """Keyword `retention_bytes="1"` is `retention.bytes`."""
    set_ = AlterConfigOpType.SET
    entries = [
        ConfigEntry(name.replace("_", "."), value, incremental_operation=set_)
        for name, value in properties.items()
    ]
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
    admin = AdminClient({"bootstrap.servers": settings.kafka.bootstrap_servers})
    for future in admin.incremental_alter_configs([resource]).values():
        future.result()


class Poster:
    """Chat events: their channels are as in life, a few of them large, or evenly spread."""

    def __init__(self, settings: Settings, *, linger_ms: float = 50, even: bool = False) -> None:
        self._producer = Producer(
            {
                "bootstrap.servers": settings.kafka.bootstrap_servers,
                "linger.ms": linger_ms,
                "queue.buffering.max.messages": 1_000_000,
            }
        )
        self._rng, self._encode, self._even = random.Random(1), Codec("ingest-chat").encode, even
        self._topic = f"{settings.topics.prefix}.ingest.chat"
        self.posted = 0

    def post(self, events: int, *, rate: float = 0.0) -> None:
        """As fast as it goes, or paced."""
        rng, began = self._rng, time.perf_counter()
        for number in range(events):
            pick = rng.randrange(CHANNELS) if self._even else int(rng.paretovariate(0.7)) - 1
            channel = f"channel-{min(CHANNELS - 1, pick)}"
            key = f"{self.posted + number}-{rng.getrandbits(64):016x}"
            data = {
                "text": " ".join(rng.choices(WORDS, k=rng.randrange(8, 24))),
                "target": None,
                "extra": None,
            }
            event = {"type": "message", "key": key, "sender": "ana", "client_ts": 1_767_225_600_000 + number}
            value = self._encode({**event, "data": data})
            self._producer.produce(self._topic, value, channel.encode(), partition_of(channel, PARTITIONS))
            if number % (10 if rate else 1000) == 0:
                self._producer.poll(0)
                ahead = number / rate - (time.perf_counter() - began) if rate else 0
                if ahead > 0:
                    time.sleep(ahead)
        self._producer.flush(60)
        self.posted += events


def start(name: str, settings: Settings, linger_ms: float | None = None) -> subprocess.Popen[bytes]:
    command = (
        [sys.executable, "-m", "touchline", "stream"]
        if name == "touchline"
        else [
            *(installing.interpreter(name), str(ROOT / "bench" / "peers" / "streams.py"), name),
            *(settings.kafka.bootstrap_servers, settings.topics.prefix),
            *([] if linger_ms is None else [str(linger_ms)]),
        ]
    )
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, **as_environment(settings), "PYTHONPATH": path}
    # Some of them greet.
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()


class Written:
    """How many records of fan-out there are by now."""

    def __init__(self, settings: Settings) -> None:
        self._consumer = Consumer(
            {"bootstrap.servers": settings.kafka.bootstrap_servers, "group.id": "bench"}
        )
        self._topic = topic_names(settings).fanout_live

    def __call__(self) -> int:
        places = [TopicPartition(self._topic, p) for p in range(PARTITIONS)]
        deadline = time.monotonic() + 10
        while True:
            try:
                return sum(self._consumer.get_watermark_offsets(place, timeout=10)[1] for place in places)
            except KafkaException:  # the topic has just been made: its leaders are not known yet
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def wait_for(self, count: int, within: float, workers: Iterable[subprocess.Popen[bytes]]) -> None:
        """Raises TimeoutError, also where a worker has ended."""
        deadline = time.monotonic() + within
        while self() < count:
            if time.monotonic() > deadline or any(w.poll() is not None for w in workers):
                raise TimeoutError(f"{self()} of {count} events came out")
            time.sleep(0.05)

    def close(self) -> None:
        self._consumer.close()


def brokers() -> list[int]:
    """The processes that are Kafka, on this machine."""
    found = psutil.process_iter(["cmdline"])
    return [p.pid for p in found if "kafka.Kafka" in (p.info["cmdline"] or [])]


def spent(pids: Iterable[int]) -> float:
    """Seconds of CPU that these processes have had."""
    return sum(sum(psutil.Process(pid).cpu_times()[:2]) for pid in pids)
