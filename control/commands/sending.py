"""Gives commands to the workers: checked, put on their topic, and confirmed by all in-sync replicas."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

from confluent_kafka import KafkaException

from control.commands.checks import check_command
from control.revocations import COMMAND as REVOKE
from kernel.clock import Clock
from kernel.errors import TouchlineError
from kernel.log.kafka import client_config, unreachable
from kernel.log.producing import LastingProducer
from kernel.log.topics import topic_names
from kernel.settings.reading import Settings
from schemas.registry import codec_for

_TIMEOUT_S: Final = 10.0
_POLL_S: Final = 0.1


class CommandSender:
    """Sends commands, many at once where many are given. Its producer is made with the first of them."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings, self._clock = settings, clock
        self._names, self._codec = topic_names(settings), codec_for(settings, "control")
        self._kafka: LastingProducer | None = None
        self._connecting = asyncio.Lock()
        #: Hears what became of commands, while some are under way.
        self._hearing: asyncio.Task[None] | None = None

    async def send(
        self, about: str, command: str, arguments: Mapping[str, Any], *, actor: str | None = None
    ) -> None:
        """The same as `send_now`, without blocking."""
        topic, value = self._record(about, command, arguments, actor)
        if self._kafka is None:
            async with self._connecting:
                await asyncio.to_thread(self._open, topic)
        kafka, loop = self._open(topic), asyncio.get_running_loop()
        done: asyncio.Future[Any] = loop.create_future()

        def delivered(error: Any, _: Any) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(settle, error)

        def settle(error: Any) -> None:
            if not done.done():
                done.set_result(error)

        _put(kafka, topic, value, about, delivered)
        self._hear(kafka)
        _check_delivered(await done)

    def send_now(
        self, about: str, command: str, arguments: Mapping[str, Any], *, actor: str | None = None
    ) -> None:
        """Give a command about a channel or user. Raises `bad_request`, `unavailable` or `not_delivered`."""
        topic, value = self._record(about, command, arguments, actor)
        kafka = self._open(topic)
        errors: list[Any] = []
        _put(kafka, topic, value, about, lambda error, _: errors.append(error))
        kafka.flush(_TIMEOUT_S + 1)
        _check_delivered(errors[0] if errors else "no answer in time")

    def close(self) -> None:
        """Let go of Kafka: nothing is under way."""
        self._kafka = None

    def _record(
        self, about: str, command: str, arguments: Mapping[str, Any], actor: str | None
    ) -> tuple[str, bytes]:
        """Its topic, and the command as it is written there."""
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
        return (self._names.control if command == REVOKE else self._names.changes), value

    def _hear(self, kafka: LastingProducer) -> None:
        if self._hearing is None:
            self._hearing = asyncio.get_running_loop().create_task(self._hear_all(kafka))

    async def _hear_all(self, kafka: LastingProducer) -> None:
        # Looked at in the loop, where commands are put: none comes in between.
        while len(kafka):
            await asyncio.to_thread(kafka.poll, _POLL_S)
        self._hearing = None

    def _open(self, topic: str) -> LastingProducer:
        return self._connect(topic) if self._kafka is None else self._kafka

    def _connect(self, name: str) -> LastingProducer:
        kafka = LastingProducer(
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


def _put(
    kafka: LastingProducer, topic: str, value: bytes, about: str, delivered: Callable[[Any, Any], None]
) -> None:
    try:
        kafka.produce(topic, value, about.encode(), on_delivery=delivered)
    except (BufferError, KafkaException) as error:
        raise TouchlineError("unavailable", f"Kafka does not take the command: {error}.") from error


def _check_delivered(error: Any) -> None:
    if error is not None:
        why = error if isinstance(error, str) else error.str()
        raise TouchlineError("not_delivered", f"Kafka did not confirm the command ({why}).")


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
