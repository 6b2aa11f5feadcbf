"""What each user may do in a time: so much at once, then at a rate, and nobody pays for another."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.clock import ManualClock
from kernel.fairness.budgets import Budget, RateLimitedError


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


def tell(one: Budget, *others: Budget, most: int = 100) -> None:
    """One door says what was taken there."""
    for user, cost in one.shared(most):
        for other in others:
            other.told(user, cost)


def test_doors_that_tell_each_other_share_a_budget() -> None:
    clock = ManualClock()
    one, other = budget(clock), budget(clock)
    one.charge("ana", 9)
    tell(one, other)
    assert not one.shared(100)
    other.take("ana")
    with pytest.raises(RateLimitedError):
        other.take("ana")
    tell(other, one)
    with pytest.raises(RateLimitedError):
        one.take("ana")
    clock.advance(0.5)
    one.take("ana")


def test_who_takes_much_at_one_door_is_counted_to_the_last_event_at_all_of_them() -> None:
    clock = ManualClock()
    doors = [Budget("messages", rate=1.0, at_once=1000, clock=clock) for _ in range(5)]
    for door in doors[1:]:
        door.charge("ana", 15)
        assert door.shared(100) == [], "so little is not worth telling of"
    doors[0].charge("ana", 900)
    for _ in range(2):  # the one word makes the others say theirs
        for door in doors:
            tell(door, *(other for other in doors if other is not door))
    assert [door.charge("ana", 0) for door in doors] == [0] * 5
    for number, little in ((4, 15), (3, 15), (1, 10)):
        doors[number].take("ana", little)
        tell(doors[number], *(other for other in doors if other is not doors[number]))
    for door in doors:
        with pytest.raises(RateLimitedError):
            door.take("ana")


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 12), st.floats(0, 0.4)), max_size=80))
def test_over_all_doors_a_user_gets_their_budget_and_what_was_let_through_within_a_second(
    taken: list[tuple[int, int, float]],
) -> None:
    """Whatever is taken where and when: nobody is let through who had used up their budget a second ago, at
    whatever doors. The words of doors arrive a second late here."""
    clock, rate, at_once, late_s = ManualClock(), 5.0, 20, 1.0
    doors = [Budget("messages", rate=rate, at_once=at_once, clock=clock) for _ in range(4)]
    words: list[tuple[float, int, str, float]] = []
    let_through: list[tuple[float, int]] = []
    for door, cost, later in taken:
        now = clock.monotonic()
        with contextlib.suppress(RateLimitedError):
            doors[door].take("ana", cost)
            before = sum(cost for at, cost in let_through if at <= now - late_s)
            assert before + cost <= at_once + rate * now + 1e-6
            let_through.append((now, cost))
        words += [(now, door, user, n) for user, n in doors[door].shared(100)]
        clock.advance(later)
        arrived = [word for word in words if word[0] + late_s <= clock.monotonic()]
        words = [word for word in words if word not in arrived]
        for _, said_by, user, n in arrived:
            for other in (other for number, other in enumerate(doors) if number != said_by):
                other.told(user, n)


def test_what_doors_have_let_through_together_is_paid_back() -> None:
    """Eight doors at once let eight budgets through, before they have heard of one another; then nothing more
    until all of it is theirs again."""
    clock = ManualClock()
    doors = [budget(clock) for _ in range(8)]
    for door in doors:
        door.take("ana", 10)
    for door in doors:
        tell(door, *(other for other in doors if other is not door))
    clock.advance(34.9)
    for door in doors:
        with pytest.raises(RateLimitedError, match="Try again in 1 s"):
            door.take("ana")
    clock.advance(0.6)
    doors[3].take("ana")


def test_who_took_little_is_not_told_of_until_it_is_much() -> None:
    clock = ManualClock()
    of = Budget("messages", rate=10.0, at_once=1000, clock=clock)
    for _ in range(19):
        of.take("ana")
    assert of.shared(100) == []
    of.take("ana")
    assert of.shared(100) == [("ana", 20.0)]


def test_at_most_so_many_are_told_of_at_a_time_and_the_others_the_next_time() -> None:
    of = budget(ManualClock())
    for number in range(10):
        of.charge(f"user-{number}", 5)
    first, then = dict(of.shared(6)), dict(of.shared(6))
    assert len(first) == 6
    assert first.keys() | then.keys() == {f"user-{number}" for number in range(10)}
    assert of.shared(6) == []


def test_what_was_given_back_is_not_told() -> None:
    of = budget(ManualClock())
    of.charge("ana", 8)
    of.give_back("ana", 5)
    assert of.shared(10) == [("ana", 3.0)]
    of.charge("ben", 8)
    of.give_back("ben", 8)
    assert of.shared(10) == []


@pytest.mark.parametrize("cost", [float("nan"), float("inf"), 1e300, -5.0, float("-inf")])
def test_whatever_is_said_in_a_doors_name_nobody_is_kept_out_for_long(cost: float) -> None:
    clock = ManualClock()
    of = budget(clock)
    of.told("ana", cost)
    clock.advance(65)
    of.take("ana")


def test_of_those_who_took_little_not_all_are_remembered() -> None:
    clock = ManualClock()
    of = Budget("messages", rate=10.0, at_once=1000, clock=clock)
    of.charge("much", 500)
    for number in range(50_000):
        of.charge(f"user-{number}", 1)
    assert dict(of.shared(100)) == {"much": 500.0}


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
