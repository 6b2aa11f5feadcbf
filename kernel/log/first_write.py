"""Ready means that it writes: a role is ready when a first record of its producer is on the log.

A producer that keeps order and doubles nothing is given a number by the brokers first. One that has just come
back on old data may not give any for ten seconds; what was posted meanwhile would wait for so long.
"""

import asyncio
import threading
from typing import Any, Final

from confluent_kafka import Producer

from kernel.log.producing import LastingProducer
from kernel.log.topics import topic_names
from kernel.process.health import Health
from kernel.settings.reading import Settings

#: The condition of a role's health.
PRODUCER: Final = "producer"
#: A key of touchline.presence that no edge has, without a value: readers pass over it, compaction drops it.
KEY: Final = b"$probe"
_POLL_S: Final = 0.1


async def first_write(producer: Producer | LastingProducer, settings: Settings, health: Health) -> None:
    """Write a record that means nothing until Kafka has taken one; then the condition `producer` holds."""
    stopping = threading.Event()
    try:
        await asyncio.to_thread(_until_taken, producer, topic_names(settings).presence, stopping)
        health.ok(PRODUCER)
    finally:
        stopping.set()


def _until_taken(producer: Producer | LastingProducer, topic: str, stopping: threading.Event) -> None:
    taken = threading.Event()
    while not taken.is_set() and not stopping.is_set():
        reported = threading.Event()

        def settle(error: Any, _: Any, reported: threading.Event = reported) -> None:
            if error is None:
                taken.set()
            reported.set()

        producer.produce(topic, None, key=KEY, partition=0, on_delivery=settle)
        # Somebody else may poll it, too, and hear the report.
        while not reported.is_set() and not stopping.is_set():
            producer.poll(_POLL_S)
