"""An edge collects after a turn: hardly at all where it cost little, for a tick where it cost much."""

import pytest

from consumers.cluster.reader import rest_after

MS = 1e-3


@pytest.mark.parametrize(
    ("spent", "rest"),
    [
        (0.0, 0.0),
        (0.1, 0.15),  # a handful of viewers
        (1.0, 1.5),
        (2.0, 8.0),
        (3.0, 10.0),  # a thousand: the tick, and no more
        (50.0, 10.0),
    ],
)
def test_what_costs_little_hardly_waits_and_what_costs_much_waits_for_a_tick(
    spent: float, rest: float
) -> None:
    assert rest_after(spent * MS, 10 * MS) == pytest.approx(rest * MS)


def test_a_dearer_turn_never_rests_for_less() -> None:
    rests = [rest_after(number * 0.05 * MS, 10 * MS) for number in range(200)]
    assert rests == sorted(rests)
