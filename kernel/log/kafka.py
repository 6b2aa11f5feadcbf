"""How to reach Kafka: client properties from the settings, waiting for the brokers, applying topics."""

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourceType,
    TopicMetadata,
)

from kernel.errors import TouchlineError
from kernel.log.topics import Topic, topic_names
from kernel.process.health import Health
from kernel.process.logs import get_logger
from kernel.settings.reading import Settings

_log = get_logger("touchline.kafka")
_CLIENT_LOG: Final = logging.getLogger("librdkafka")
# Forty lines a second while a broker is away. Whoever needs the broker says so, once, and in /readyz.
_CLIENT_LOG.addFilter(lambda record: not record.getMessage().startswith("FAIL "))
_LOOK_EVERY_S: Final = 2.0
_ANSWER_S: Final = 3.0
_ALREADY_THERE: Final = "TOPIC_ALREADY_EXISTS"
_HEARD_OF_S: Final = 0.1
_HEARD_OF_TRIES: Final = 100


def client_config(settings: Settings, **properties: Any) -> dict[str, Any]:
    """Properties for a confluent-kafka client; keyword `linger_ms=5` is `linger.ms`."""
    return {
        "bootstrap.servers": settings.kafka.bootstrap_servers,
        "log_level": 4,
        # Through Python's logging, so that they are lines like all others, and not loose text.
        "logger": _CLIENT_LOG,
        "reconnect.backoff.ms": 50,
        "reconnect.backoff.max.ms": 2000,
        **settings.kafka.client,
        **{name.replace("_", "."): value for name, value in properties.items()},
    }


def admin_client(config: Mapping[str, Any]) -> AdminClient:
    """A client that asks brokers about the cluster. Each one is made here.

    Where such a request waits for a broker that is away, librdkafka connects to it again at once,
    without rest: a core for each role. Not so where it keeps connections to all brokers.
    """
    return AdminClient({**config, "enable.sparse.connections": False})


async def wait_for_kafka(settings: Settings, *, attempts: int | None = None) -> None:
    """Wait until a broker answers, with back-off, saying for what; for ever unless `attempts` is given."""
    admin, wait, tried = admin_client(client_config(settings)), 0.2, 0
    while True:
        try:
            await asyncio.to_thread(admin.list_topics, timeout=3)
        except KafkaException as error:
            tried += 1
            if attempts is not None and tried >= attempts:
                raise unreachable(settings) from error
            _log.warning("waiting for kafka", servers=settings.kafka.bootstrap_servers, retry_in_s=wait)
            await asyncio.sleep(wait)
            wait = min(wait * 2, 5.0)
        else:
            return


async def watch_kafka(settings: Settings, health: Health) -> None:
    """Keep the condition `kafka` of a role true to whether a broker answers; until it is cancelled."""
    admin, channels = admin_client(client_config(settings)), topic_names(settings).channels
    while True:
        try:
            # Asks for one topic: a cluster may have thousands.
            await asyncio.to_thread(admin.list_topics, channels, timeout=_ANSWER_S)
        except KafkaException:
            health.fail("kafka", f"no broker answers at {settings.kafka.bootstrap_servers}")
        else:
            health.ok("kafka")
        await asyncio.sleep(_LOOK_EVERY_S)


def unreachable(settings: Settings, why: str = "") -> TouchlineError:
    """The sentence for a Kafka that does not answer, with the client's word on it where it says more."""
    return TouchlineError(
        "unavailable",
        f"Kafka does not answer at {settings.kafka.bootstrap_servers}{f' ({why})' if why else ''}.",
        hint="Start it with `touchline up`, or set TOUCHLINE_KAFKA_BOOTSTRAP_SERVERS.",
    )


def apply_topics(settings: Settings, wanted: list[Topic]) -> dict[str, str]:
    """Make the brokers' topics what `wanted` says; returns what was done, by topic.

    Partitions are only ever added: Kafka cannot take them away, and with them records would be lost.
    """
    admin = admin_client(client_config(settings))
    try:
        present = admin.list_topics(timeout=10).topics
    except KafkaException as error:
        raise unreachable(settings) from error
    present = dict(present)
    done: dict[str, str] = {}
    new = [t for t in wanted if t.name not in present]
    for name, future in _create(admin, new, settings.topics.replication_factor).items():
        try:
            future.result()
            done[name] = "created"
        except KafkaException as error:
            if error.args[0].name() != _ALREADY_THERE:
                raise TouchlineError(
                    "unavailable", f"Kafka did not create {name}: {error.args[0].str()}."
                ) from error
            # Another one was quicker, or this broker had not heard of it yet.
            present[name] = _when_heard_of(admin, name)
    old = [t for t in wanted if t.name in present]
    grow = [
        NewPartitions(t.name, t.partitions) for t in old if len(present[t.name].partitions) < t.partitions
    ]
    if grow:
        for name, future in admin.create_partitions(grow).items():
            future.result()
            done[name] = "grown"
    for topic, differs in _changed(admin, old).items():
        if differs:
            done.setdefault(topic, "changed")
    return done | {t.name: "present" for t in wanted if t.name not in done}


def _when_heard_of(admin: AdminClient, name: str) -> TopicMetadata:
    """A topic that exists, once the broker that is asked knows it. Raises `unavailable`."""
    for _ in range(_HEARD_OF_TRIES):
        topic = admin.list_topics(name, timeout=10).topics[name]
        if topic.error is None:
            return topic
        time.sleep(_HEARD_OF_S)
    raise TouchlineError("unavailable", f"Kafka says that {name} exists, and does not show it.")


def _create(admin: AdminClient, new: list[Topic], replicas: int) -> Mapping[str, Any]:
    if not new:
        return {}
    made: Mapping[str, Any] = admin.create_topics(
        [
            NewTopic(t.name, num_partitions=t.partitions, replication_factor=replicas, config=dict(t.config))
            for t in new
        ]
    )
    return made


def _changed(admin: AdminClient, old: list[Topic]) -> dict[str, bool]:
    """Alter the settings that differ from what is wanted; topic -> whether any did."""
    if not old:
        return {}
    asked = admin.describe_configs([ConfigResource(ResourceType.TOPIC, t.name) for t in old])
    current = {resource.name: future.result() for resource, future in asked.items()}
    changed = {t.name: {k: v for k, v in t.config.items() if current[t.name][k].value != v} for t in old}
    resources = [
        ConfigResource(
            ResourceType.TOPIC,
            name,
            incremental_configs=[
                ConfigEntry(k, v, incremental_operation=AlterConfigOpType.SET) for k, v in config.items()
            ],
        )
        for name, config in changed.items()
        if config
    ]
    if resources:
        for future in admin.incremental_alter_configs(resources).values():
            future.result()
    return {name: bool(config) for name, config in changed.items()}


def what_came(consumer: Consumer, most: int, wait_s: float) -> list[Message]:
    """At most so many messages: the first as it comes, within `wait_s`, and what else is there joins it.

    Whoever asks the client for many at once is kept until the time is over.
    """
    messages: list[Message] = consumer.consume(1, wait_s)
    return messages and [*messages, *consumer.consume(most - 1, 0)]


def check_read_error(error: KafkaError) -> None:
    """What passes by itself is left to librdkafka; anything else ends the worker."""
    if error.fatal() or not (error.retriable() or error.code() in _PASSING):
        raise KafkaException(error)


_PASSING: Final = frozenset(
    {
        KafkaError._PARTITION_EOF,
        KafkaError._TRANSPORT,
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._RESOLVE,
        KafkaError._TIMED_OUT,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError._MAX_POLL_EXCEEDED,
        KafkaError._AUTO_OFFSET_RESET,
    }
)
