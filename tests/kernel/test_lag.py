"""How far a consumer is behind: what is not known is not told, and what was read before a restart is read."""

import pytest
from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, OFFSET_INVALID, OFFSET_STORED

from kernel.log.lag import LagGauge, behind
from kernel.process.metrics import CONSUMER_LAG

UNKNOWN = OFFSET_INVALID


@pytest.mark.parametrize(
    ("position", "start", "low", "high", "records"),
    [
        (7, 0, 0, 10, 3),
        (UNKNOWN, 10, 0, 10, 0),  # started again at the end of an idle partition: nothing waits
        (UNKNOWN, 7, 0, 10, 3),
        (UNKNOWN, 0, 0, 10, 10),
        (UNKNOWN, 0, 4, 10, 6),  # retention took four
        (UNKNOWN, OFFSET_BEGINNING, 4, 10, 6),
        (UNKNOWN, OFFSET_END, 4, 10, 0),
        (UNKNOWN, OFFSET_STORED, 0, 10, None),
        (UNKNOWN, UNKNOWN, 0, 10, None),
        (UNKNOWN, -2000 - 50, 0, 10, None),
        (7, 7, UNKNOWN, UNKNOWN, None),
        (12, 12, 0, 10, 0),
    ],
)
def test_of_a_partition(position: int, start: int, low: int, high: int, records: int | None) -> None:
    assert behind(position, start, low, high) == records


def test_each_partition_is_told_until_it_is_given_away() -> None:
    def told(topic: str) -> dict[str, float]:
        return {
            sample.labels["partition"]: sample.value
            for family in CONSUMER_LAG.collect()
            for sample in family.samples
            if sample.labels["topic"] == topic
        }

    one, other = LagGauge(["lag-a", "lag-b"]), LagGauge()
    one.tell({"lag-a": {0: 3, 1: None, 2: 0}})
    other.tell({"lag-c": {0: 9}})
    assert (told("lag-a"), told("lag-b")) == ({"0": 3, "2": 0}, {"": 0})
    one.tell({"lag-a": {2: 1}})
    assert (told("lag-a"), told("lag-b"), told("lag-c")) == ({"2": 1}, {"": 0}, {"0": 9})
    other.tell({})
    assert told("lag-c") == {}, "what it gave away"
