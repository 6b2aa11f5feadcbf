"""What was refused (`touchline.rejected`): reading it back, and posting it again where its cause is gone."""

from collections.abc import Collection, Iterable
from typing import Any, Final

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from kernel.errors import TouchlineError
from kernel.kafka import client_config, unreachable
from kernel.logs import get_logger
from kernel.settings import Settings
from kernel.topics import topic_names
from producers.delivery import failed
from producers.outbox import properties
from schemas.codec import Undecodable
from schemas.registry import codec_for

_log = get_logger("touchline.refusals")
_ANSWER_S: Final = 5.0
_CONFIRM_S: Final = 60.0

Refusal = dict[str, Any]


def place_of(refusal: Refusal) -> str:
    """Where the refused record lies: `topic/partition/offset`. It names a refusal."""
    return f"{refusal['topic']}/{refusal['partition']}/{refusal['offset']}"


def may_be_retried(settings: Settings, refusal: Refusal) -> bool:
    """Whether posting it again is of use: what the indexer refused is an event that was accepted long ago."""
    return refusal["topic"] in topic_names(settings).ingest.values()


def read_refusals(settings: Settings, *, newest: int | None = None) -> list[Refusal]:
    """What was refused and is still kept, oldest first; `newest` looks at so many of each partition only."""
    topic, codec = topic_names(settings).rejected, codec_for(settings, "rejection")
    consumer = Consumer(
        client_config(
            settings, group_id="touchline-rejected", enable_partition_eof=True, enable_auto_commit=False
        )
    )
    found: list[Refusal] = []
    try:
        waiting = _begin(consumer, topic, newest)
        while waiting:
            for message in consumer.consume(1000, timeout=0.3):
                if message.error():
                    waiting -= 1
                    continue
                try:
                    found.append(codec.decode(message.value() or b""))
                except Undecodable as error:
                    _log.warning("a record is not readable", topic=topic, why=str(error))
    except KafkaException as error:
        raise unreachable(settings) from error
    finally:
        consumer.close()
    return sorted(found, key=lambda one: (one["append_ts"], one["topic"], one["partition"], one["offset"]))


def _begin(consumer: Consumer, topic: str, newest: int | None) -> int:
    """Go to where reading starts in each partition; how many there are."""
    partitions = list(consumer.list_topics(topic, timeout=_ANSWER_S).topics[topic].partitions)
    starts = []
    for number in partitions:
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=_ANSWER_S)
        starts.append(TopicPartition(topic, number, low if newest is None else max(low, high - newest)))
    consumer.assign(starts)
    return len(partitions)


def post_again(settings: Settings, refusals: Iterable[Refusal]) -> int:
    """Put them back where they came from, unchanged. Raises `bad_request`, `not_delivered`; how many."""
    chosen: Collection[Refusal] = list(refusals)
    for refusal in chosen:
        if not may_be_retried(settings, refusal):
            raise TouchlineError(
                "bad_request",
                f"{place_of(refusal)} was accepted, and refused by the index: posting it would double it.",
                hint="Run `touchline index --rebuild` once its cause is gone.",
            )
    producer, errors = Producer(properties(settings)), []

    def reported(error: Any, _: Any) -> None:
        if error is not None:
            errors.append(error)

    for refusal in chosen:
        producer.produce(refusal["topic"], refusal["value"], refusal["record_key"], on_delivery=reported)
    if left := producer.flush(_CONFIRM_S):
        raise TouchlineError("not_delivered", f"Kafka did not confirm {left} of {len(chosen)} in time.")
    if errors:
        raise failed(errors[0])
    return len(chosen)
