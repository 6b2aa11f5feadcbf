"""Stretches of time in which an export looks for its next page, so that a page costs what it holds. Pure.

Documents lie newest first. To find the oldest ones behind a place Elasticsearch looks at all that are later,
for each page again; within a stretch it looks at those of the stretch.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

#: A stretch is to hold so many hits: some pages. One that holds too few costs a request, and not more.
_HITS: Final = 1000
_SHORTEST_MS: Final = 1000
#: What was too short is so many times as long next.
LONGER: Final = 8


def end_of(begin_ms: int | None, stretch_ms: int, until_ms: int) -> int | None:
    """Up to when to look from here; None: as far as there is anything. A stretch of 0 is not known."""
    if begin_ms is None or not stretch_ms or begin_ms + stretch_ms >= until_ms:
        return None
    return begin_ms + stretch_ms


def within(body: Mapping[str, Any], begin_ms: int, end_ms: int) -> dict[str, Any]:
    """A request for nothing but what lies in a stretch."""
    boolean = body["query"]["bool"]
    stretch = {"range": {"at": {"gte": begin_ms, "lte": end_ms}}}
    return {**body, "query": {"bool": {**boolean, "filter": [*boolean["filter"], stretch]}}}


def next_ms(hits: Sequence[Mapping[str, Any]], stretch_ms: int, *, full: bool) -> int:
    """How long the next one is, after one in which these were found; `full`: it had more of them."""
    if not full:
        return stretch_ms * LONGER
    lasted = hits[-1]["sort"][0] - hits[0]["sort"][0]
    return max(_SHORTEST_MS, _HITS * int(lasted) // len(hits))
