"""Who may write and read what, by intervals: a table of cases, and laws that hold for all of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.rooms.membership import ALL, NOTHING, Interval, Spans, may_read, readable, wrote_as_member
from kernel.log.positions import MAX_SEQ

BORN = 10
#: Made with the room, and in it ever since.
MAKER = [Interval(10, 10)]
JOINED = [Interval(20, 20)]
LATE_BUT_SEES_ALL = [Interval(20, 10)]
REMOVED = [Interval(20, 20, 30)]
BACK = [Interval(20, 20, 30), Interval(40, 40)]
BACK_IN_ALL = [Interval(20, 20, 30), Interval(40, 10)]


@pytest.mark.parametrize(
    ("intervals", "read", "hidden"),
    [
        ([], [], [0, 10, 20, MAX_SEQ]),
        (MAKER, [10, 11, MAX_SEQ], [9]),
        (JOINED, [20, 21], [10, 19]),
        (LATE_BUT_SEES_ALL, [10, 19, 20, 99], [9]),
        (REMOVED, [], [20, 25, 30, 31]),
        (BACK, [20, 30, 40, 41], [19, 31, 39]),
        (BACK_IN_ALL, [10, 31, 39, 41], [9]),
    ],
)
def test_what_may_be_read(intervals: list[Interval], read: list[int], hidden: list[int]) -> None:
    assert [seq for seq in read if not may_read(intervals, seq, BORN)] == []
    assert [seq for seq in hidden if may_read(intervals, seq, BORN)] == []


@pytest.mark.parametrize(
    ("intervals", "seq", "written"),
    [
        ([], 20, False),
        (JOINED, 20, False),
        (JOINED, 21, True),
        (JOINED, MAX_SEQ, True),
        (REMOVED, 25, True),
        (REMOVED, 31, False),
        (BACK, 35, False),
        (BACK, 41, True),
    ],
)
def test_what_was_written_as_a_member(intervals: list[Interval], seq: int, written: bool) -> None:
    assert wrote_as_member(intervals, seq) is written


def test_a_room_that_bears_the_name_of_another_shows_nothing_of_it() -> None:
    before, now = Interval(20, 10, 30), Interval(55, 50)
    assert readable([before, now], born=50) == Spans(((50, MAX_SEQ),))
    assert readable([before], born=50) == NOTHING


def test_where_to_go_on_reading() -> None:
    spans = readable(BACK, BORN)
    places = (0, 19, 20, 29, 30, 35, 39, 40, 99)
    assert [spans.skip(at) for at in places] == [19, 19, 20, 29, 39, 39, 39, 40, 99]
    assert spans.first == 20
    assert ALL.throughout
    assert not spans.throughout
    assert ALL.skip(0) == 0
    assert NOTHING.first > MAX_SEQ


SEQS = st.integers(1, 60)


@st.composite
def histories(draw: st.DrawFn) -> list[Interval]:
    """Somebody's times in a room: one after the other, the last one perhaps still open."""
    marks = sorted(draw(st.sets(SEQS, max_size=9)))
    found = []
    for at in range(0, len(marks), 2):
        until = marks[at + 1] if at + 1 < len(marks) else None
        found.append(Interval(marks[at], draw(st.sampled_from([1, marks[at]])), until))
    return found


@given(histories(), SEQS)
def test_who_is_in_reads_what_each_interval_gives_and_who_is_out_nothing(
    intervals: list[Interval], seq: int
) -> None:
    inside = bool(intervals) and intervals[-1].until is None
    given_by_one = any(i.first <= seq and (i.until is None or seq <= i.until) for i in intervals)
    assert may_read(intervals, seq) is (inside and given_by_one)


@given(histories(), st.integers(0, 60))
def test_skipping_passes_over_nothing_that_may_be_read(intervals: list[Interval], position: int) -> None:
    spans = readable(intervals)
    reached = spans.skip(position)
    assert reached >= position
    assert not any(seq in spans for seq in range(position + 1, min(reached, 70) + 1))
    assert not spans.ranges or reached >= 60 or reached + 1 in spans
