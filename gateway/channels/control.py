"""Commands to the workers: records on touchline.control, confirmed by Kafka."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from confluent_kafka import KafkaException, Producer

from kernel.clock import Clock
from kernel.errors import TouchlineError
from kernel.settings import Settings
from kernel.topics import topic_names
from producers.delivery import failed
from producers.outbox import properties
from schemas.registry import codec_for


class Control:
    """Sends commands, one at a time: they are few."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings, self._clock = settings, clock
        self._topic = topic_names(settings).control
        self._codec = codec_for(settings, "control")
        self._kafka: Producer | None = None
        self._one = asyncio.Lock()

    async def send(
        self, about: str, command: str, arguments: Mapping[str, Any], actor: str | None = None
    ) -> None:
        """Put a command about this channel or user on the log. Raises `not_delivered`."""
        value = self._codec.encode(
            {
                "command": command,
                "id": None,
                "actor": actor,
                "at": self._clock.now_ms(),
                "arguments": json.dumps(dict(arguments)),
            }
        )
        async with self._one:
            await asyncio.to_thread(self._send, about.encode(), value)

    def _send(self, key: bytes, value: bytes) -> None:
        if self._kafka is None:
            self._kafka = Producer(properties(self._settings))
        errors: list[Any] = []
        try:
            self._kafka.produce(self._topic, value, key, on_delivery=lambda error, _: errors.append(error))
        except (BufferError, KafkaException) as error:
            raise TouchlineError("unavailable", f"Kafka does not take the command: {error}.") from error
        self._kafka.flush(self._settings.gateway.delivery_timeout_s)
        if not errors:
            raise TouchlineError("not_delivered", "Kafka did not confirm the command in time.")
        if errors[0] is not None:
            raise failed(errors[0])

    async def close(self) -> None:
        if self._kafka is not None:
            await asyncio.to_thread(self._kafka.flush, 5)
