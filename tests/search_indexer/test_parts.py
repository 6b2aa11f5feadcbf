"""A search in several queries finds what one would: the same hits in the same order, and sums."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from search_indexer.counting.facets import bars_of
from search_indexer.searching.scope import Seen
from search_indexer.searching.split_queries import MOST_RANGES, Hits, counted, merged, parts_of, total_of


def hit(at: int, seq: int) -> dict[str, Any]:
    return {"sort": [at, seq, 1]}


HITS = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 10**6)), unique_by=lambda h: h[1], max_size=60)


@given(HITS, st.integers(1, 4), st.integers(1, 7), st.sampled_from(["newest", "oldest"]))
def test_pages_of_parts_are_the_pages_of_all(
    all_: list[tuple[int, int]], number: int, limit: int, sort: str
) -> None:
    falls = sort == "newest"
    whole = sorted(all_, reverse=falls)
    pages: list[tuple[int, int]] = []
    after: tuple[int, int] | None = None
    for _ in range(len(all_) + 2):
        parts = []
        for n in range(number):
            mine = [one for one in whole if one[1] % number == n]
            if after is not None:
                mine = [one for one in mine if (one < after if falls else one > after)]
            parts.append(Hits([hit(*one) for one in mine[:limit]], len(mine) >= limit))
        page = merged(parts, sort, limit)
        pages += [(one["sort"][0], one["sort"][1]) for one in page.hits]
        if not page.more or not page.hits:
            break
        after = pages[-1]
    assert pages == whole


def test_ranges_are_shared_out_and_only_the_first_part_sees_all_else() -> None:
    ranges = [(f"room-{n % 700}", n, n) for n in range(2 * MOST_RANGES + 1)]
    seen = Seen(hidden=("x",), own=("user-ana",), rooms=("room-a",), ranges=ranges)
    parts = parts_of(seen)
    assert [len(part.seen.ranges) for part in parts] == [MOST_RANGES, MOST_RANGES, 1]
    assert [one for part in parts for one in part.seen.ranges] == ranges
    assert (parts[0].seen.rooms, parts[0].channels) == (("room-a",), ())
    assert all(part.seen.own == () and not part.seen.rooms and part.channels for part in parts[1:])
    assert parts_of(Seen()) == [(Seen(), ())]


def test_bars_have_no_holes_between_parts() -> None:
    def bars(*given_: tuple[int, int]) -> dict[str, Any]:
        return {"aggregations": {"bars": {"buckets": [{"key": at, "doc_count": n} for at, n in given_]}}}

    found = bars_of([bars((1000, 2), (2000, 0), (3000, 1)), bars((5000, 4)), bars()], 1000, [])
    assert [bar.count for bar in found] == [2, 0, 1, 0, 4]
    assert found[0].start == "1970-01-01T00:00:01.000Z"
    assert bars_of([bars()], 1000, []) == []


def test_counts_are_sums() -> None:
    def answer(total: int, first: int | None, **senders: int) -> dict[str, Any]:
        buckets = [{"key": name, "doc_count": count} for name, count in senders.items()]
        ends = {"first": {"value": first}, "last": {"value": first}}
        return {"hits": {"total": {"value": total}}, "aggregations": {"sender": {"buckets": buckets}, **ends}}

    answers = [answer(3, 5, ana=2, bob=1), answer(0, None), answer(4, 2, bob=4)]
    assert total_of(answers) == 7
    made = counted(answers, 10)
    assert made["sender"]["buckets"] == [{"key": "bob", "doc_count": 5}, {"key": "ana", "doc_count": 2}]
    assert (made["first"]["value"], made["last"]["value"]) == (2, 5)
