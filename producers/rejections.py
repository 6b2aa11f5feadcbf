"""What was refused (`touchline.rejected`): reading it back, and posting it again where its cause is gone."""

from collections.abc import Callable, Collection, Iterable
from typing import Any, Final

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from kernel.errors import TouchlineError
from kernel.log.kafka import client_config, unreachable
from kernel.log.records import ORIGIN
from kernel.log.topics import topic_names
from kernel.process.lines import Lines
from kernel.settings.reading import Settings
from producers.sending.delivery import failed
from producers.sending.outbox import properties
from schemas.codec import Undecodable
from schemas.registry import codec_for

_lines = Lines("touchline.refusals")
_ANSWER_S: Final = 5.0
_CONFIRM_S: Final = 60.0
#: The reason of a mark, which says on the same topic that a refused record was put back. It is younger than
#: the rejection, and lies in the same partition: whoever can still read that one can read the mark.
RETRIED: Final = "retried"
#: What is refused for one of these reasons is refused again: it is posted unchanged.
HOPELESS: Final = frozenset({"undecodable", "bad_channel"})

#: The fields of the schema; `lies_in`, its partition of touchline.rejected; and `retried_at`, in ms or None.
Refusal = dict[str, Any]


def place_of(refusal: Refusal) -> str:
    """Where the refused record lies: `topic/partition/offset`. It names a refusal."""
    return f"{refusal['topic']}/{refusal['partition']}/{refusal['offset']}"


def may_be_retried(settings: Settings, refusal: Refusal) -> bool:
    """Whether posting it again is of use.

    What the indexer refused is an event that was accepted long ago; what was put back once is there; and what
    cannot be read, or has no channel, is the same the next time.
    """
    return (
        refusal["topic"] in topic_names(settings).ingest.values()
        and refusal["reason"] not in HOPELESS
        and refusal.get("retried_at") is None
    )


def read_refusals(settings: Settings, *, newest: int | None = None) -> list[Refusal]:
    """What was refused and is still kept, oldest first; `newest` looks at so many of each partition only."""
    topic, codec = topic_names(settings).rejected, codec_for(settings, "rejection")
    consumer = Consumer(
        client_config(
            settings, group_id="touchline-rejected", enable_partition_eof=True, enable_auto_commit=False
        )
    )
    found: list[Refusal] = []
    retried: dict[str, int] = {}
    try:
        waiting = _begin(consumer, topic, newest)
        while waiting:
            for message in consumer.consume(1000, timeout=0.3):
                if message.error():
                    waiting -= 1
                    continue
                try:
                    said = codec.decode(message.value() or b"")
                except Undecodable as error:
                    _lines.warning("a record is not readable", topic=topic, why=str(error))
                    continue
                if said["reason"] == RETRIED:
                    retried[place_of(said)] = message.timestamp()[1]
                else:
                    found.append({**said, "lies_in": message.partition()})
    except KafkaException as error:
        raise unreachable(settings) from error
    finally:
        consumer.close()
    for refusal in found:
        refusal["retried_at"] = retried.get(place_of(refusal))
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
    """Put them back where they came from, unchanged, once. Raises `bad_request`, `not_delivered`; how many.

    Whoever dies between a record and its mark, or asks twice at once, puts it back again: the origin in its
    header makes a repeat of it.
    """
    names, ingest = topic_names(settings), topic_names(settings).ingest.values()
    chosen: Collection[Refusal] = [one for one in refusals if one.get("retried_at") is None]
    for refusal in chosen:
        if refusal["topic"] not in ingest:
            raise TouchlineError(
                "bad_request",
                f"{place_of(refusal)} was accepted, and refused by the index: posting it would double it.",
                hint="Run `touchline index --rebuild` once its cause is gone.",
            )
    producer, errors = Producer(properties(settings)), []
    delivered: list[Refusal] = []

    def reporting(refusal: Refusal) -> Callable[[Any, Any], None]:
        return lambda error, _: delivered.append(refusal) if error is None else errors.append(error)

    for refusal in chosen:
        origin = f"retry:{refusal['partition']}:{refusal['offset']}".encode()
        producer.produce(
            refusal["topic"],
            refusal["value"],
            refusal["record_key"],
            headers=[(ORIGIN, origin)],
            on_delivery=reporting(refusal),
        )
    producer.flush(_CONFIRM_S)
    done, mark = list(delivered), codec_for(settings, "rejection").encode
    for refusal in done:
        said = {"message": "It was put back.", "value": b"", "sender": None, "key": None}
        producer.produce(
            names.rejected,
            mark({name: refusal[name] for name in _MARKED} | said | {"reason": RETRIED}),
            refusal["record_key"],
            partition=refusal["lies_in"],
            on_delivery=lambda error, _: errors.append(error) if error is not None else None,
        )
    if left := producer.flush(_CONFIRM_S):
        raise TouchlineError("not_delivered", f"Kafka did not confirm {left} of {len(chosen)} in time.")
    if errors:
        raise failed(errors[0])
    return len(done)


_MARKED: Final = ("topic", "partition", "offset", "append_ts", "record_key")
