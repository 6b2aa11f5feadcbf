"""Gives commands to the workers: checked, put on their topic, and confirmed by all in-sync replicas."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from confluent_kafka import KafkaException, Producer

from control.commands import check_command
from control.revocations import COMMAND as REVOKE
from kernel.clock import Clock
from kernel.errors import TouchlineError
from kernel.kafka import client_config, unreachable
from kernel.settings import Settings
from kernel.topics import topic_names
from schemas.registry import codec_for

_TIMEOUT_S: Final = 10.0


class CommandSender:
    """Sends commands one at a time: they are few. Its producer is made with the first of them."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings, self._clock = settings, clock
        self._names, self._codec = topic_names(settings), codec_for(settings, "control")
        self._kafka: Producer | None = None
        self._one = asyncio.Lock()

    async def send(
        self, about: str, command: str, arguments: Mapping[str, Any], *, actor: str | None = None
    ) -> None:
        """The same as `send_now`, without blocking."""
        check_command(about, command, arguments)
        async with self._one:
            await asyncio.to_thread(self.send_now, about, command, arguments, actor=actor)

    def send_now(
        self, about: str, command: str, arguments: Mapping[str, Any], *, actor: str | None = None
    ) -> None:
        """Give a command about a channel or user. Raises `bad_request`, `unavailable` or `not_delivered`."""
        text = check_command(about, command, arguments)
        value = self._codec.encode(
            {
                "command": command,
                "id": None,
                "actor": actor,
                "at": self._clock.now_ms(),
                "arguments": text.decode(),
            }
        )
        # Revocations are whole states of a user; all else are changes of states.
        topic = self._names.control if command == REVOKE else self._names.changes
        kafka = self._kafka or self._connect(topic)
        errors: list[Any] = []
        try:
            kafka.produce(topic, value, about.encode(), on_delivery=lambda error, _: errors.append(error))
            kafka.flush(_TIMEOUT_S + 1)
        except (BufferError, KafkaException) as error:
            raise TouchlineError("unavailable", f"Kafka does not take the command: {error}.") from error
        if not errors or errors[0] is not None:
            why = errors[0].str() if errors else "no answer in time"
            raise TouchlineError("not_delivered", f"Kafka did not confirm the command ({why}).")

    def close(self) -> None:
        """Let go of Kafka: nothing is under way."""
        self._kafka = None

    def _connect(self, name: str) -> Producer:
        kafka = Producer(
            client_config(
                self._settings,
                acks="all",
                enable_idempotence=True,
                message_timeout_ms=round(_TIMEOUT_S * 1000),
                partitioner="murmur2_random",
            )
        )
        try:
            topic = kafka.list_topics(name, timeout=_TIMEOUT_S).topics[name]
        except KafkaException as error:
            raise unreachable(self._settings) from error
        if not topic.partitions:
            raise TouchlineError(
                "unavailable",
                f"Kafka has no topic {name}.",
                hint="Make it with `touchline topics apply`.",
            )
        self._kafka = kafka
        return kafka


def send_command(
    settings: Settings,
    clock: Clock,
    about: str,
    command: str,
    arguments: Mapping[str, Any],
    *,
    actor: str | None = None,
) -> None:
    """Give one command, from a program that gives no others. Blocks."""
    CommandSender(settings, clock).send_now(about, command, arguments, actor=actor)
