"""A key within the window is one event; a record that is read again is not a repeat of itself."""

from streams.fold.checks.repeats import Repeats

WINDOW = 600_000


def test_the_same_key_within_the_window_was_seen() -> None:
    repeats = Repeats(WINDOW)
    repeats.remember("a", 1_000_000, 5)
    assert repeats.seen("a", 1_000_000 + WINDOW - 1, 9)
    assert not repeats.seen("b", 1_000_000, 9)


def test_a_key_is_free_again_after_the_window() -> None:
    repeats = Repeats(WINDOW)
    repeats.remember("a", 1_000_000, 5)
    assert not repeats.seen("a", 1_000_000 + WINDOW, 9)


def test_the_same_record_read_again_is_no_repeat() -> None:
    repeats = Repeats(WINDOW)
    repeats.remember("a", 1_000_000, 5)
    assert not repeats.seen("a", 1_000_000, 5)


def test_a_key_is_remembered_for_a_whole_window_across_generations() -> None:
    repeats = Repeats(WINDOW)
    repeats.remember("a", WINDOW, 1)
    repeats.remember("late", 2 * WINDOW - 1, 2)
    repeats.remember("next", 2 * WINDOW, 3)
    assert repeats.seen("late", 2 * WINDOW, 4)
    assert repeats.seen("late", 3 * WINDOW - 2, 5)


def test_memory_is_given_back_when_keys_run_out() -> None:
    repeats = Repeats(WINDOW)
    for n in range(1000):
        repeats.remember(f"k{n}", WINDOW, n)
    repeats.remember("x", 2 * WINDOW, 1001)
    assert len(repeats) == 1001
    repeats.remember("y", 3 * WINDOW, 1002)
    assert len(repeats) == 2
    repeats.remember("z", 9 * WINDOW, 1003)
    assert len(repeats) == 1


def test_a_later_record_does_not_make_an_earlier_one_a_repeat() -> None:
    repeats = Repeats(WINDOW)
    repeats.remember("a", 1_000_000, 5)
    assert not repeats.seen("a", 999_000, 4)
