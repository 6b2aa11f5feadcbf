"""A look at the registry, and commands to it, for programs that are no workers: command line, gateway.

Every call blocks for a moment: from an event loop, call it in a thread.
"""

from typing import Any, Final

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from control.channels import ChannelRecord, from_avro
from kernel.errors import TouchlineError
from kernel.kafka import check_read_error, client_config, unreachable
from kernel.positions import partition_of
from kernel.settings import Settings
from kernel.topics import topic_names
from schemas.registry import codec_for

_TIMEOUT_S: Final = 10.0
_UNKNOWN: Final = (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION)


def read_channel(settings: Settings, channel: str) -> ChannelRecord | None:
    """The channel's newest record; None if there is none."""
    topic, wanted, found = topic_names(settings).channels, channel.encode(), None
    consumer = Consumer(
        client_config(settings, **{"group_id": "touchline-look", "enable_auto_commit": False})
    )
    try:
        at = TopicPartition(topic, 0)
        try:
            low, high = consumer.get_watermark_offsets(at, timeout=_TIMEOUT_S)
        except KafkaException as failed:
            unknown = failed.args[0].code() in _UNKNOWN
            raise (_no_topic(topic) if unknown else unreachable(settings)) from failed
        consumer.assign([TopicPartition(topic, 0, low)])
        next_ = low
        while next_ < high:
            messages = consumer.consume(1, _TIMEOUT_S)
            if not messages:
                raise unreachable(settings)
            for message in messages + consumer.consume(1000, 0):
                error = message.error()
                if error is not None:
                    check_read_error(error)
                    continue
                next_ = (message.offset() or 0) + 1
                if message.key() == wanted:
                    found = message.value()
            # Compaction leaves gaps, also at the end: the position says when there is nothing more.
            next_ = max(next_, consumer.position([at])[0].offset)
    finally:
        consumer.close()
    return None if found is None else from_avro(codec_for(settings, "channel").decode(found))


def send_command(
    settings: Settings, channel: str, command: str, arguments: dict[str, Any], *, actor: str | None = None
) -> None:
    """Put a command on touchline.control; returns once all in-sync replicas have it."""
    topic = topic_names(settings).control
    producer = Producer(client_config(settings, acks="all", message_timeout_ms=round(_TIMEOUT_S * 1000)))
    try:
        partitions = len(producer.list_topics(topic, timeout=_TIMEOUT_S).topics[topic].partitions)
    except KafkaException as error:
        raise unreachable(settings) from error
    if not partitions:
        raise _no_topic(topic)
    value = codec_for(settings, "control").encode(
        {"command": command, "actor": actor, "arguments": msgspec.json.encode(arguments).decode()}
    )
    failed: list[str] = []
    producer.produce(
        topic,
        value,
        channel.encode(),
        partition_of(channel, partitions),
        on_delivery=lambda error, _: failed.append(error.str()) if error else None,
    )
    if producer.flush(_TIMEOUT_S) or failed:
        raise TouchlineError("not_delivered", "Kafka did not take the command.")


def _no_topic(topic: str) -> TouchlineError:
    return TouchlineError(
        "unavailable", f"Kafka has no topic {topic}.", hint="Make it with `touchline topics apply`."
    )
