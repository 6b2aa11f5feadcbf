"""A process that dies young again and again is started ever later; one that has lived is forgiven."""

from hypothesis import given
from hypothesis import strategies as st

from embedded.supervision.backoff import LONGEST_SECONDS, STABLE_SECONDS, Backoff


def test_waits_double_with_each_young_death() -> None:
    backoff, waits = Backoff(), []
    for _ in range(4):
        backoff = backoff.after_death(lived_seconds=1)
        waits.append(backoff.wait_seconds)
    assert waits == [0.25, 0.5, 1.0, 2.0]


def test_a_long_life_starts_the_count_anew() -> None:
    backoff = Backoff(deaths=9).after_death(lived_seconds=STABLE_SECONDS)
    assert backoff == Backoff(deaths=1)


@given(st.lists(st.floats(min_value=0, max_value=100), min_size=1, max_size=50))
def test_no_wait_is_longer_than_the_longest(lives: list[float]) -> None:
    backoff = Backoff()
    for life in lives:
        backoff = backoff.after_death(life)
    assert 0 < backoff.wait_seconds <= LONGEST_SECONDS


def test_a_process_that_never_lives_does_not_overflow() -> None:
    assert Backoff(deaths=100_000).wait_seconds == LONGEST_SECONDS
