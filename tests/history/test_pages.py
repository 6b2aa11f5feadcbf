"""The pure parts: pages, and finding a `seq` in a partition whose worker has repeated stretches."""

from hypothesis import given
from hypothesis import strategies as st

from history.pages import Entry, first_page, last_page, merged, place_of


def test_a_page_has_at_most_limit_events_and_says_whether_there_are_more() -> None:
    entries = [Entry(n, b"%d" % n) for n in range(1, 5)]
    assert first_page(entries, 3, degraded=False) == ([b"1", b"2", b"3"], True, [1, 2, 3], False)
    assert last_page(entries, 3, degraded=True) == ([b"2", b"3", b"4"], True, [2, 3, 4], True)
    assert first_page(entries, 4, degraded=False).more is False
    assert last_page([], 4, degraded=False) == ([], False, [], False)


def test_merging_orders_and_drops_doubles() -> None:
    assert merged([Entry(3, b"c"), Entry(1, b"a"), Entry(3, b"c")]) == [Entry(1, b"a"), Entry(3, b"c")]


@st.composite
def logs_with_repeats(draw: st.DrawFn) -> list[int]:
    """What workers write that are killed and repeat a stretch: each run goes on from an earlier place."""
    gaps = draw(st.lists(st.integers(1, 3), min_size=1, max_size=40))
    seqs = [sum(gaps[: n + 1]) for n in range(len(gaps))]
    log: list[int] = []
    position = 0
    while position < len(seqs):
        end = draw(st.integers(position + 1, len(seqs)))
        log += seqs[position:end]
        position = end if end == len(seqs) else draw(st.integers(max(0, end - 6), end))
        if len(log) > 500:
            log += seqs[position:]
            break
    return log


@given(logs_with_repeats(), st.integers(0, 130), st.integers(1, 5))
def test_everything_from_the_place_on_is_there_and_in_order(log: list[int], wanted: int, near: int) -> None:
    place = place_of(wanted, 0, len(log), lambda o: log[o] if o < len(log) else None, near=near)
    assert {seq for seq in log if seq >= wanted} == {seq for seq in log[place:] if seq >= wanted}
    assert {seq for seq in log if seq < wanted} == {seq for seq in log[: place + near] if seq < wanted}
    firsts = list(dict.fromkeys(seq for seq in log[place:] if seq >= wanted))
    assert firsts == sorted(firsts)
