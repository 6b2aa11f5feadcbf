"""One search as several queries, where somebody may see more ranges of rooms than one can name. Pure.

The parts see nothing in common, so totals and counts are sums, and a page is the first of all their hits.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from search_indexer.searching.scope import Seen

#: Ranges that one query names: Elasticsearch bounds the clauses of a query by its memory.
MOST_RANGES: Final = 500
#: Of sorts, which of their values fall.
_FALL: Final[Mapping[str, tuple[bool, ...]]] = {
    "relevance": (True, True, True, True),
    "meaning": (True, True, True, True),
    "newest": (True, True, True),
    "oldest": (False, False, False),
}


class Part(NamedTuple):
    """What one of the queries may see, and the channels that it is about; none named: all."""

    seen: Seen
    channels: Sequence[str] = ()


def parts_of(seen: Seen) -> list[Part]:
    """As few as it takes: nearly always one."""
    first, rest = seen.ranges[:MOST_RANGES], seen.ranges[MOST_RANGES:]
    parts = [Part(seen._replace(ranges=first))]
    for start in range(0, len(rest), MOST_RANGES):
        some = rest[start : start + MOST_RANGES]
        channels = sorted({channel for channel, _, _ in some})
        # What is seen otherwise the first part has.
        parts.append(Part(Seen(seen.hidden, own=(), ranges=some), channels))
    return parts


class Hits(NamedTuple):
    """Hits in their order, and whether more may follow."""

    hits: list[dict[str, Any]]
    more: bool


def merged(pages: Sequence[Hits], sort: str, limit: int) -> Hits:
    """One page of the parts' pages. What a part leaves out lies beyond what it has: so the page ends where
    the first of those does that leave something out."""
    if len(pages) == 1:
        return pages[0]

    def place(hit: dict[str, Any]) -> tuple[float, ...]:
        return tuple(-v if falls else v for v, falls in zip(hit["sort"], _FALL[sort], strict=True))

    ends = [place(page.hits[-1]) for page in pages if page.more and page.hits]
    hits = sorted((hit for page in pages for hit in page.hits), key=place)
    if ends:
        hits = [hit for hit in hits if place(hit) <= min(ends)]
    more = bool(ends) or len(hits) > limit or any(page.more for page in pages)
    return Hits(hits[:limit], more)


def counted(answers: Sequence[Mapping[str, Any]], size: int) -> dict[str, Any]:
    """The parts' aggregations as one, each with so many values."""
    found = [answer.get("aggregations", {}) for answer in answers]
    if len(found) == 1:
        return dict(found[0])
    ends = {"first": min, "last": max}
    fields = {name for one in found for name in one} - ends.keys()
    made: dict[str, Any] = {name: {"buckets": _summed(found, name)[:size]} for name in fields}
    for name, choose in ends.items():
        values = [value for one in found if (value := one.get(name, {}).get("value")) is not None]
        made[name] = {"value": choose(values) if values else None}
    return made


def _summed(found: Sequence[Mapping[str, Any]], name: str) -> list[dict[str, Any]]:
    sums: dict[str, int] = {}
    for one in found:
        for bucket in one.get(name, {}).get("buckets", []):
            sums[bucket["key"]] = sums.get(bucket["key"], 0) + bucket["doc_count"]
    ordered = sorted(sums.items(), key=lambda entry: (-entry[1], entry[0]))
    return [{"key": key, "doc_count": count} for key, count in ordered]


def total_of(answers: Sequence[Mapping[str, Any]]) -> int:
    """All hits of all parts."""
    return sum(answer["hits"].get("total", {"value": 0})["value"] for answer in answers)
