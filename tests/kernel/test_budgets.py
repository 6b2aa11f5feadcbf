"""What each user may do in a time: so much at once, then at a rate, and nobody pays for another."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.budgets import Budget, RateLimitedError
from kernel.clock import ManualClock


def budget(clock: ManualClock, *, most: int = 100) -> Budget:
    return Budget("messages", rate=2.0, at_once=10, clock=clock, most=most)


def test_so_many_at_once_then_at_the_rate_and_when_is_said() -> None:
    clock = ManualClock()
    of = budget(clock)
    for _ in range(10):
        of.take("ana")
    with pytest.raises(RateLimitedError, match="Try again in 1 s") as refused:
        of.take("ana")
    assert refused.value.code == "rate_limited"
    of.take("ben")
    clock.advance(0.5)
    of.take("ana")
    with pytest.raises(RateLimitedError):
        of.take("ana")


def test_who_is_slowed_waits_for_what_was_taken() -> None:
    clock = ManualClock()
    of = budget(clock)
    assert of.charge("ana", 10) == 0
    assert of.charge("ana", 4) == 2.0
    clock.advance(2.0)
    assert of.charge("ana", 2) == 1.0


def test_what_is_dearer_than_all_of_it_needs_a_full_bucket() -> None:
    clock = ManualClock()
    of = budget(clock)
    of.take("ana", 1)
    with pytest.raises(RateLimitedError):
        of.take("ana", 50)
    clock.advance(0.5)
    of.take("ana", 50)
    clock.advance(15)
    with pytest.raises(RateLimitedError):
        of.take("ana")


def test_doors_that_tell_each_other_share_a_budget() -> None:
    clock = ManualClock()
    one, other = budget(clock), budget(clock)
    one.charge("ana", 9)
    other.told(one.taken())
    assert not one.taken()
    other.take("ana")
    with pytest.raises(RateLimitedError):
        other.take("ana")


def test_users_beyond_the_most_are_forgotten_not_kept() -> None:
    clock = ManualClock()
    of = budget(clock, most=3)
    for user in "abcd":
        of.charge(user, 10)
    of.take("a")
    with pytest.raises(RateLimitedError):
        of.take("d")


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0, 12))))
def test_never_more_than_the_rate_allows(asked: list[tuple[float, float]]) -> None:
    clock = ManualClock()
    of, given_out = budget(clock), 0.0
    for pause, cost in asked:
        clock.advance(pause)
        try:
            of.take("ana", cost)
        except RateLimitedError:
            continue
        given_out += cost
    # The one that may go into debt goes at most two beyond.
    assert given_out <= 10 + clock.monotonic() * 2.0 + 2 + 1e-6
