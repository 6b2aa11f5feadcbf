"""How far a consumer is behind the end of its log: only what is known is told, and never a guess."""

from collections.abc import Mapping

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer

from kernel.process.metrics import CONSUMER_LAG


def behind(position: int, start: int, low: int, high: int) -> int | None:
    """Records that wait in a partition; None: that is not known.

    Where nothing was read yet the position is where reading starts. Numbers below 0 are what librdkafka says
    of what it does not know.
    """
    if high < 0:
        return None
    if position < 0:
        position = {OFFSET_BEGINNING: low, OFFSET_END: high}.get(start, start)
    # What retention has taken away does not wait to be read.
    return None if position < 0 else max(0, high - max(position, low))


def together(each: list[int | None]) -> int | None:
    """Of several partitions: the sum of what is known. Of none, nothing waits."""
    known = [records for records in each if records is not None]
    return sum(known) if known or not each else None


def lags(consumer: Consumer) -> dict[str, int | None]:
    """By topic, as the last fetches told. To be called in the consumer's own thread: it does not block."""
    found: dict[str, list[int | None]] = {}
    assigned = consumer.assignment()
    for start, at in zip(assigned, consumer.position(assigned), strict=True):
        low, high = consumer.get_watermark_offsets(at, cached=True)
        found.setdefault(at.topic, []).append(behind(at.offset, start.offset, low, high))
    return {topic: together(each) for topic, each in found.items()}


def tell_lag(by_topic: Mapping[str, int | None]) -> None:
    """Set the gauge; what is not known is not there."""
    for topic, records in by_topic.items():
        if records is None:
            CONSUMER_LAG.remove(topic)
        else:
            CONSUMER_LAG.labels(topic).set(records)
