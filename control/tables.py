"""Follows small compacted topics from their beginning: the channel registry and the edges' heartbeats."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any, Final

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaException, TopicPartition

from kernel.logs import get_logger

_log = get_logger("touchline.tables")
_BATCH: Final = 1000
_RETRY_S: Final = 1.0

#: Takes (topic, key, value); a value of None takes the key out of the table.
Learn = Callable[[str, str, bytes | None], None]


class Tables(threading.Thread):
    """One thread for all of them. `read` says, in the loop, that what was there has been read."""

    def __init__(
        self,
        config: dict[str, Any],
        *,
        whole: list[str],
        tails: list[str],
        learn: Learn,
        on_read: Callable[[], None],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        super().__init__(name="tables", daemon=True)
        self._config, self._whole, self._tails = config, whole, tails
        self._learn, self._on_read, self._loop = learn, on_read, loop
        self._stopping = threading.Event()
        self._ends: dict[tuple[str, int], int] = {}

    def stop(self) -> None:
        self._stopping.set()

    def run(self) -> None:
        consumer = Consumer(self._config)
        try:
            while not self._stopping.is_set():
                try:
                    self._assign(consumer)
                    break
                except (KafkaException, KeyError) as error:
                    _log.warning("waiting for the tables' topics", why=str(error))
                    self._stopping.wait(_RETRY_S)
            read = False
            while not self._stopping.is_set():
                self._take(consumer)
                if not read and self._at_end(consumer):
                    read = True
                    self._notify(self._on_read)
        finally:
            consumer.close()

    def _assign(self, consumer: Consumer) -> None:
        known = consumer.list_topics(timeout=10).topics
        places = []
        for topic in [*self._whole, *self._tails]:
            for number in known[topic].partitions:
                start = OFFSET_BEGINNING if topic in self._whole else OFFSET_END
                places.append(TopicPartition(topic, number, start))
                if topic in self._whole:
                    low, end = consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=10)
                    if end > low:
                        self._ends[topic, number] = end
        consumer.assign(places)

    def _take(self, consumer: Consumer) -> None:
        for message in consumer.consume(_BATCH, 0.25):
            if message.error() is None:
                key, topic = (message.key() or b"").decode("utf-8", "replace"), message.topic() or ""
                self._notify(self._learn, topic, key, message.value())

    def _at_end(self, consumer: Consumer) -> bool:
        at = consumer.position([TopicPartition(*place) for place in self._ends]) if self._ends else []
        return all(place.offset >= self._ends[place.topic, place.partition] for place in at)

    def _notify(self, call: Callable[..., None], *arguments: Any) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call, *arguments)
