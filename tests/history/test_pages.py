"""The pure parts: pages, and finding a `seq` in a partition whose worker has repeated stretches."""

from hypothesis import given
from hypothesis import strategies as st

from history.pages import Bound, Entry, Page, first_page, joined, last_page, merged, place_of
from history.sources.tail import Last


def test_a_page_has_at_most_limit_events_and_says_whether_there_are_more() -> None:
    entries = [Entry(n, b"%d" % n) for n in range(1, 5)]
    assert first_page(entries, Bound(3), degraded=False) == ([b"1", b"2", b"3"], True, [1, 2, 3], False)
    assert last_page(entries, Bound(3), degraded=True) == ([b"2", b"3", b"4"], True, [2, 3, 4], True)
    assert first_page(entries, Bound(4), degraded=False).more is False
    assert last_page([], Bound(4), degraded=False) == ([], False, [], False)


def test_a_page_ends_at_a_size_and_holds_one_event_at_least() -> None:
    entries = [Entry(n, b"x" * 10) for n in range(1, 6)]
    assert first_page(entries, Bound(5, 25), degraded=False)[1:3] == (True, [1, 2])
    assert last_page(entries, Bound(5, 25), degraded=False)[1:3] == (True, [4, 5])
    assert first_page(entries[:1], Bound(5, 5), degraded=False)[1:3] == (False, [1])
    assert first_page(entries, Bound(5, 5), degraded=False)[1:3] == (True, [1])


@given(st.lists(st.integers(0, 12), max_size=12), st.integers(1, 6), st.integers(1, 30))
def test_pages_by_size_one_after_the_other_are_all_of_it(sizes: list[int], limit: int, size: int) -> None:
    entries = [Entry(n, b"x" * length) for n, length in enumerate(sizes, 1)]
    bound, seqs = Bound(limit, size), [entry.seq for entry in entries]
    found: list[int] = []
    while True:
        page = first_page(
            [entry for entry in entries if entry.seq > (found or [0])[-1]], bound, degraded=False
        )
        found += page.seqs
        if not page.more:
            break
    assert found == seqs
    last = Last(bound)
    for entry in entries:
        last.put(entry)
    kept = merged(last.entries.values())
    assert last_page(kept, bound, degraded=False).seqs == last_page(entries, bound, degraded=False).seqs
    assert sum(len(entry.body) for entry in kept) <= size + 12 * 2 or len(kept) <= 2


def test_pages_of_several_partitions_leave_no_hole() -> None:
    large = Page([b"x" * 10], more=True, seqs=[1])
    small = Page([b"a", b"b", b"c"], more=False, seqs=[2, 3, 9])
    assert joined([large, small], Bound(10, 15), forward=True)[1:3] == (True, [1])
    after = Page([b"x" * 10], more=True, seqs=[8])
    assert joined([after, small], Bound(10, 30), forward=False)[1:3] == (True, [8, 9])


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
