"""The histogram that `touchline search` prints says how long its bars are."""

import pytest

from touchline.terminal.bars import duration, histogram


@pytest.mark.parametrize(
    ("ms", "said"),
    [
        (1000, "1 s"),
        (5000, "5 s"),
        (30_000, "30 s"),
        (60_000, "1 min"),
        (90_000, "90 s"),
        (900_000, "15 min"),
        (3_600_000, "1 h"),
        (86_400_000, "1 d"),
        (250, "250 ms"),
    ],
)
def test_a_duration_is_said_in_the_largest_unit_that_leaves_no_rest(ms: int, said: str) -> None:
    assert duration(ms) == said


def test_bars_that_go_together_are_as_long_as_both() -> None:
    assert histogram([0, 1, 8], 1000) == (" ▁█", "1 s")
    bars, each = histogram([1] * 120, 1000)
    assert (len(bars), each) == (60, "2 s")
    assert histogram([], 1000) == ("", "1 s")
