"""What Elasticsearch is asked for a page of hits: from a search and what the caller may see. Pure."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from search_indexer.counting.counts import aggregations
from search_indexer.query import elasticsearch_query
from search_indexer.query.syntax import Query
from search_indexer.searching.request import Page, Search
from search_indexer.searching.scope import ALL, Seen, beyond, visible

#: Newest or oldest first; `seq` and `place` make the order total, so that pages never overlap.
_NEWEST: Final = [{"at": "desc"}, {"seq": "desc"}, {"place": "desc"}]
SORTS: Final[dict[str, list[dict[str, str]]]] = {
    "relevance": [{"_score": "desc"}, *_NEWEST],
    "newest": _NEWEST,
    "oldest": [{"at": "asc"}, {"seq": "asc"}, {"place": "asc"}],
    # What words find, before it is put together with what is near (searching/meaning.py).
    "meaning": [{"_score": "desc"}, *_NEWEST],
}


def request_body(
    search: Search,
    query: Query,
    page: Page,
    patterns: Iterable[str],
    seen: Seen = ALL,
    *,
    channels: Sequence[str] = (),
) -> dict[str, Any]:
    """What Elasticsearch is asked; `channels`: of these only."""
    asked = elasticsearch_query.clauses(query)
    allowed = scope_of(patterns, seen, channels=channels)
    filters = [*allowed["filter"], *_fields(search), *_times(search), *asked["filter"]]
    must_not = [*asked["must_not"], *allowed["must_not"]]
    boolean: dict[str, Any] = {"filter": filters, "must_not": must_not}
    if search.sort in {"relevance", "meaning"}:
        boolean["must"] = asked["must"]
    else:  # no scores where nobody looks at them
        filters += asked["must"]
    body: dict[str, Any] = {
        "query": {"bool": boolean},
        "sort": SORTS[search.sort],
        "size": page.limit,
        "track_total_hits": True,
        "source_includes": ["*"],
        "source_excludes": ["words", "text", "data", "meaning"],
    }
    if page.counts is not None:
        body["aggregations"] = aggregations(page.counts)
    return body


def scope_of(
    patterns: Iterable[str], seen: Seen, *, channels: Sequence[str] = ()
) -> dict[str, list[dict[str, Any]]]:
    """The `filter` and `must_not` of all that the caller may find."""
    filters: list[dict[str, Any]] = [{"terms": {"channel": list(channels)}}] if channels else []
    if (covered := visible(patterns)) is not None:
        filters.append(covered)
    return {"filter": filters, "must_not": [{"term": {"hidden": True}}, *beyond(seen)]}


def background(
    search: Search,
    patterns: Iterable[str],
    seen: Seen,
    channels: Sequence[str],
    left_out: Sequence[dict[str, Any]],
) -> dict[str, Any]:
    """All that the caller may find in the kinds, channels and types of a search, whatever was asked there."""
    allowed = scope_of(patterns, seen, channels=channels)
    allowed["filter"] += _fields(search)
    allowed["must_not"] += left_out
    return {"bool": allowed}


def _fields(search: Search) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for field, values in (
        ("channel", search.channels),
        ("sender", search.senders),
        ("type", search.types),
    ):
        if values:
            found.append({"terms": {field: list(values)}})
    if search.near is not None:
        found.append(elasticsearch_query.fact(search.near))
    return found


def _times(search: Search) -> list[dict[str, Any]]:
    bounds = {"gte": search.since, "lte": search.until}
    bounds = {name: at for name, at in bounds.items() if at is not None}
    return [{"range": {"at": bounds}}] if bounds else []
