"""Completeness goes in order, whatever batch is confirmed first."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from history.pages import Watermark
from kernel.log.positions import Kind
from search_indexer.indexing.bulk import parts, sort_out
from search_indexer.indexing.progress import Progress

CHAT = (Kind.CHAT, 0)


@given(st.permutations(range(6)))
def test_the_watermark_passes_no_batch_that_is_not_confirmed(order: list[int]) -> None:
    progress = Progress(1, {CHAT: Watermark(10, 100)})
    marks = [progress.begin({CHAT: Watermark(11 + n, 101 + n)}) for n in range(6)]
    done: set[int] = set()
    for n in order:
        progress.confirm(marks[n])
        done.add(n)
        whole = next((n for n in range(7) if n not in done), 6)
        assert progress.confirmed[CHAT] == Watermark(10 + whole, 100 + whole)
    assert progress.idle


def test_repeats_of_a_killed_worker_do_not_pull_the_seq_back() -> None:
    progress = Progress(1, {CHAT: Watermark(10, 100)})
    progress.confirm(progress.begin({CHAT: Watermark(20, 95)}))
    assert progress.confirmed[CHAT] == Watermark(20, 100)


def test_what_became_of_each_line() -> None:
    told = [
        (201, ""),
        (409, "c"),
        (429, "busy"),
        (400, "t"),
        (503, ""),
        (200, ""),
        (400, "validation_exception"),
    ]
    items = [{"index": {"status": s, "error": {"type": t, "reason": "r"}}} for s, t in told]
    found = sort_out(msgspec.json.decode(msgspec.json.encode(items)))
    assert found.refused == [(3, "t: r")]
    # No room for another shard is not the document's fault: it waits, it is not refused.
    assert (found.again, found.why) == ([2, 4, 6], "429 busy: r")


@given(st.lists(st.binary(max_size=30)), st.integers(1, 60))
def test_requests_hold_every_line_and_stay_small(lines: list[bytes], most: int) -> None:
    made = list(parts(lines, most))
    assert [n for part in made for n in part] == list(range(len(lines)))
    assert all(len(part) == 1 or sum(len(lines[n]) for n in part) <= most for part in made)
