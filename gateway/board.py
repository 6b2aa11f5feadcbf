"""What the compacted topics say now: channels with their settings and shards, and viewers on the edges."""

import asyncio
from typing import Any, Final

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from kernel.clock import Clock
from kernel.kafka import client_config
from kernel.logs import get_logger
from kernel.positions import Stream
from kernel.settings import Settings
from kernel.topics import topic_names
from schemas.codec import Codec, Undecodable

_log = get_logger("touchline.board")
#: An edge that has said nothing for so long is gone.
GONE_MS: Final = 7_000
_BATCH: Final = 1000
_RETRY_S: Final = 2.0


class Board:
    """Reads both topics from their beginning, and follows them."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings, self._clock = settings, clock
        self._names = topic_names(settings)
        self._codecs = {self._names.channels: Codec("channel"), self._names.presence: Codec("presence")}
        self._said: dict[str, dict[str, dict[str, Any]]] = {topic: {} for topic in self._codecs}

    def channel(self, name: str) -> dict[str, Any] | None:
        """A channel's record; None if nobody has changed anything about it."""
        return self._said[self._names.channels].get(name)

    def viewers(self, stream: Stream) -> int:
        """How many watch a stream, on all edges that still speak."""
        oldest = self._clock.now_ms() - GONE_MS
        return sum(
            audience["viewers"]
            for beat in self._said[self._names.presence].values()
            if beat["at"] >= oldest
            for audience in beat["streams"]
            if audience["stream"] == str(stream)
        )

    async def follow(self) -> None:
        """Until cancelled."""
        while True:
            consumer = Consumer(
                client_config(
                    self._settings,
                    group_id=f"{self._settings.topics.prefix}-gateway-board",
                    enable_auto_commit="false",
                    allow_auto_create_topics="false",
                )
            )
            try:
                consumer.assign([TopicPartition(topic, 0, 0) for topic in self._codecs])
                while True:
                    for message in await asyncio.to_thread(consumer.consume, _BATCH, 0.5):
                        self._take(message)
            except KafkaException as error:
                _log.warning("the registry cannot be read", reason=str(error), retry_in_s=_RETRY_S)
            finally:
                await asyncio.shield(asyncio.to_thread(consumer.close))
            await asyncio.sleep(_RETRY_S)

    def _take(self, message: Message) -> None:
        topic, key = message.topic(), message.key()
        if message.error() or topic is None or key is None:
            return
        name, value = key.decode("utf-8", "replace"), message.value()
        if value is None:
            self._said[topic].pop(name, None)
            return
        try:
            self._said[topic][name] = self._codecs[topic].decode(value)
        except Undecodable as error:
            _log.warning("a record is not readable", topic=topic, key=name, why=str(error))
