"""How far a consumer is behind the end of its log: only what is known is told, and never a guess."""

from collections.abc import Collection, Mapping

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaException

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


#: Topic -> partition -> records that wait; None: that is not known.
Lags = Mapping[str, Mapping[int, int | None]]


def lags(consumer: Consumer, *, ask_s: float | None = None) -> dict[str, dict[int, int | None]]:
    """As the last fetches told, without blocking; with `ask_s`, for whoever fetches nothing, as brokers say
    when they are asked. To be called in the consumer's own thread."""
    found: dict[str, dict[int, int | None]] = {}
    assigned = consumer.assignment()
    for start, at in zip(assigned, consumer.position(assigned), strict=True):
        low, high = consumer.get_watermark_offsets(at, cached=True)
        if ask_s is not None:
            try:
                low, high = consumer.get_watermark_offsets(at, timeout=ask_s)
            except KafkaException:
                ask_s = None  # who is away is not waited for once more for each partition
        found.setdefault(at.topic, {})[at.partition] = behind(at.offset, start.offset, low, high)
    return found


class LagGauge:
    """Tells how far one consumer is behind, by partition; of those that it gave away it tells no more."""

    def __init__(self, topics: Collection[str] = ()) -> None:
        """Where none of the partitions of one of its topics is ours, nothing waits: partition "" says so."""
        self._topics = topics
        self._told: set[tuple[str, str]] = set()

    def tell(self, by_topic: Lags) -> None:
        """Set the gauge; what is not known is not there."""
        now = {
            (topic, str(partition)): records
            for topic, each in by_topic.items()
            for partition, records in each.items()
            if records is not None
        }
        now |= {(topic, ""): 0 for topic in {*self._topics, *by_topic} if not by_topic.get(topic)}
        for labels in self._told - now.keys():
            CONSUMER_LAG.remove(*labels)
        for labels, records in now.items():
            CONSUMER_LAG.labels(*labels).set(records)
        self._told = set(now)
