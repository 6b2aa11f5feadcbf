"""Reads a small compacted topic to its end, and then what has come since, whenever it is asked. Blocks."""

import contextlib
from collections.abc import Callable
from typing import Any, Final

import msgspec
from confluent_kafka import Consumer, KafkaError, TopicPartition

from kernel.errors import TouchlineError
from kernel.kafka import client_config, unreachable
from kernel.settings import Settings
from schemas.codec import Undecodable

_WAIT_S: Final = 10.0

#: Takes (key, value); a value of None takes the key out. May raise for what is no record of the topic's.
Learn = Callable[[str, bytes | None], None]


class Follower:
    """One topic of one partition."""

    def __init__(self, settings: Settings, topic: str, learn: Learn) -> None:
        self._settings, self._learn = settings, learn
        self._consumer = Consumer(
            client_config(
                settings,
                group_id="touchline-follower",  # never joined
                enable_auto_commit=False,
                enable_partition_eof=True,
                auto_offset_reset="earliest",
            )
        )
        self._consumer.assign([TopicPartition(topic, 0, 0)])

    def read_all(self) -> None:
        """Read to the end of the topic."""
        while True:
            message = self._consumer.poll(_WAIT_S)
            if message is None:
                raise unreachable(self._settings)
            if not self._take(message):
                return

    def read_news(self) -> None:
        """Read what has come since."""
        for message in self._consumer.consume(100, 0):
            self._take(message)

    def close(self) -> None:
        self._consumer.close()

    def _take(self, message: Any) -> bool:
        """Whether it was a record, and not the topic's end."""
        error = message.error()
        if error is not None:
            return bool(error.code() != KafkaError._PARTITION_EOF)
        key = (message.key() or b"").decode("utf-8", "replace")
        # Not a record of this topic's, whoever wrote it.
        with contextlib.suppress(Undecodable, msgspec.DecodeError, TouchlineError):
            self._learn(key, message.value())
        return True
