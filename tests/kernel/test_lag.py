"""How far a consumer is behind: what is not known is not told, and what was read before a restart is read."""

import pytest
from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, OFFSET_INVALID, OFFSET_STORED

from kernel.log.lag import behind, together

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


def test_of_a_topic() -> None:
    assert together([]) == 0
    assert together([3, None, 4]) == 7
    assert together([None, None]) is None
