"""An export looks for its next page in a stretch of time, and beyond it where there is nothing."""

from search_indexer.searching.stretches import LONGER, end_of, next_ms, within


def test_a_stretch_ends_where_nothing_can_be_behind_it() -> None:
    assert end_of(5_000, 1_000, 100_000) == 6_000
    assert end_of(99_000, 1_000, 100_000) is None
    assert end_of(5_000, 0, 100_000) is None
    assert end_of(None, 1_000, 100_000) is None


def test_a_request_is_for_what_lies_in_it_and_stays_as_it_is_otherwise() -> None:
    body = {"query": {"bool": {"filter": [{"term": {"type": "goal"}}], "must_not": []}}, "size": 5}
    some = within(body, 5_000, 6_000)
    assert some["query"]["bool"]["filter"] == [
        {"term": {"type": "goal"}},
        {"range": {"at": {"gte": 5_000, "lte": 6_000}}},
    ]
    assert (some["size"], len(body["query"]["bool"]["filter"])) == (5, 1)  # type: ignore[index]


def test_it_is_as_long_as_it_takes_for_some_pages() -> None:
    hits = [{"sort": [1_000 + 50 * number, number, 1]} for number in range(250)]
    assert 45_000 < next_ms(hits, 1_000, full=True) < 55_000
    assert next_ms(hits, 1_000, full=False) == 1_000 * LONGER
    assert next_ms([{"sort": [1_000, 1, 1]}], 500, full=True) == 1_000
