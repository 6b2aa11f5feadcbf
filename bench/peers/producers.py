"""Others that post what bench/producers.py posts, each in its best honest form: bare confluent-kafka, Kafka's
own ProducerPerformance, aiokafka, FastStream. Each gives the seconds until Kafka has confirmed the last.
"""

import asyncio
import json
import os
import re
import secrets
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from confluent_kafka import Producer as BareProducer

from bench.peers import installing
from embedded.backends import artifacts, pins
from kernel.log.positions import Kind
from kernel.log.topics import topic_names
from kernel.settings.reading import Settings, load_settings
from producers import Chat
from producers.sending.outbox import properties
from producers.sending.preparing import Preparing

CHANNELS = [f"channel-{n}" for n in range(50)]
TEXTS = [secrets.token_hex(75) for _ in range(997)]


def posts(count: int) -> list[Chat]:
    return [
        Chat(CHANNELS[n % len(CHANNELS)], TEXTS[n % len(TEXTS)], sender="ana", key=f"k{n:08}")
        for n in range(count)
    ]


def bare(settings: Settings, count: int) -> float:
    """confluent-kafka alone, with bytes that were made before."""
    prepare = Preparing(topic_names(settings))
    records = [prepare(post) for post in posts(2000)]
    producer, done = BareProducer(properties(settings)), 0

    def confirmed(error: Any, _: Any) -> None:
        nonlocal done
        assert error is None
        done += 1

    producer.list_topics(timeout=10)
    began = time.perf_counter()
    for n in range(count):
        topic, key, value = records[n % len(records)]
        while True:
            try:
                producer.produce(topic, value, key, on_delivery=confirmed)
                break
            except BufferError:
                producer.poll(0.01)
        if not n % 500:
            producer.poll(0)
    producer.flush()
    took = time.perf_counter() - began
    assert done == count
    return took


def performance(settings: Settings, count: int) -> float:
    """Kafka's own ProducerPerformance on the JVM: no keys, ready-made text, and a tenth more to warm up."""
    embedded = load_settings().embedded
    home = Path(embedded.servers_dir or installing.ROOT / embedded.data_dir / "servers").absolute()
    jars = artifacts.place(home, pins.load()["kafka"])
    kept = settings.producer
    options = [
        f"bootstrap.servers={settings.kafka.bootstrap_servers}",
        *("acks=all", "enable.idempotence=true", f"linger.ms={kept.linger_ms:.0f}"),
        *(
            f"batch.size={kept.batch_bytes}",
            f"compression.type={kept.compression}",
            "buffer.memory=134217728",
        ),
    ]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as payloads:
        payloads.write("\n".join(json.dumps({"key": f"k{n:08}", "text": t}) for n, t in enumerate(TEXTS)))
        payloads.flush()
        warm = count // 10
        said = subprocess.run(
            [
                *(str(artifacts.java_home() / "bin" / "java"), "-Xmx512m", "-Dlog4j2.level=ERROR"),
                *("-cp", f"{installing.kafka_tools()}{os.pathsep}{jars}/*"),
                "org.apache.kafka.tools.ProducerPerformance",
                *("--topic", topic_names(settings).ingest[Kind.CHAT], "--payload-file", payloads.name),
                *("--num-records", str(count + warm), "--warmup-records", str(warm), "--throughput", "-1"),
                *("--command-property", *options),
            ],
            check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
    # The last line is that of the steady state: what came after the warm-up.
    rates = re.findall(r"([\d.]+) records/sec", said.strip().splitlines()[-1])
    return count / float(rates[0])


def aiokafka(settings: Settings, count: int) -> float:
    """The same job with aiokafka: check, Avro, send, all confirmed."""
    from aiokafka import AIOKafkaProducer

    async def run() -> float:
        prepare = Preparing(topic_names(settings))
        producer = AIOKafkaProducer(
            bootstrap_servers=settings.kafka.bootstrap_servers,
            enable_idempotence=True,
            acks="all",
            linger_ms=int(settings.producer.linger_ms),
            max_batch_size=settings.producer.batch_bytes,
            compression_type=None,
        )
        await producer.start()
        made = posts(count)
        began = time.perf_counter()
        futures = []
        for post in made:
            topic, key, value = prepare(post)
            futures.append(await producer.send(topic, value, key))
        await asyncio.gather(*futures)
        took = time.perf_counter() - began
        await producer.stop()
        return took

    return asyncio.run(run())


def faststream(settings: Settings, count: int) -> float:
    """The same job with FastStream's Kafka broker (on confluent-kafka), waiting for confirmations in lots."""
    from faststream.confluent import KafkaBroker

    async def run() -> float:
        prepare = Preparing(topic_names(settings))
        broker = KafkaBroker(
            settings.kafka.bootstrap_servers, acks="all", enable_idempotence=True, linger_ms=2, logger=None
        )
        await broker.start()
        made = posts(count)
        began = time.perf_counter()
        for start in range(0, len(made), 1000):
            sending = []
            for post in made[start : start + 1000]:
                topic, key, value = prepare(post)
                sending.append(broker.publish(value, topic=topic, key=key))
            await asyncio.gather(*sending)
        took = time.perf_counter() - began
        await broker.stop()
        return took

    return asyncio.run(run())
