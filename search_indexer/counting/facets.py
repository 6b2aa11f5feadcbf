"""Counts of hits as they are shown, from what Elasticsearch answers of one query, or of its several parts."""

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from kernel.clock import to_rfc3339
from search_indexer.counting.counts import FIELDS, MAX_BY, Counts
from search_indexer.searching.split_queries import counted


class Bucket(msgspec.Struct):
    value: str
    count: int


class Bar(msgspec.Struct):
    start: str
    count: int
    #: Of the values that bars are divided by, those that are there.
    by: dict[str, int] | UnsetType = UNSET


class Word(msgspec.Struct):
    """A word that stands out: in how many hits it is, and in how much of all else."""

    word: str
    count: int
    of: int
    background: int
    of_background: int


class Facets(msgspec.Struct):
    #: Over the whole span of the hits, a bar a second, or as much wider as keeps it at 120 bars.
    histogram: list[Bar]
    bar_ms: int
    kind: list[Bucket] | UnsetType = UNSET
    channel: list[Bucket] | UnsetType = UNSET
    sender: list[Bucket] | UnsetType = UNSET
    type: list[Bucket] | UnsetType = UNSET
    mark: list[Bucket] | UnsetType = UNSET
    standout: list[Word] | UnsetType = UNSET
    #: The same of the time before.
    previous: "Previous | UnsetType" = UNSET


class Previous(msgspec.Struct):
    """What was counted of the time before, as long as the one that is looked at."""

    since: str
    until: str
    total: int
    facets: Facets


class Sums:
    """What was counted with a page."""

    def __init__(self, counts: Counts, answers: Sequence[Mapping[str, Any]]) -> None:
        self._counts = counts
        self._sums = counted(answers, max(counts.size, MAX_BY))

    @property
    def span(self) -> tuple[float, float] | None:
        """When the first and the last hit were."""
        first, last = (self._sums.get(name, {}).get("value") for name in ("first", "last"))
        return None if first is None or last is None else (first, last)

    @property
    def divides(self) -> list[str]:
        """The values that bars are divided by."""
        by = self._counts.by
        return [bucket.value for bucket in self._buckets(by, MAX_BY)] if by else []

    def _buckets(self, name: str, most: int) -> list[Bucket]:
        found = self._sums.get(name, {}).get("buckets", [])
        return [Bucket(bucket["key"], bucket["doc_count"]) for bucket in found[:most]]

    def shown(self, bars: list[Bar], width: int) -> Facets:
        fields = {
            name: self._buckets(name, self._counts.size) for name in FIELDS if name in self._counts.fields
        }
        return Facets(histogram=bars, bar_ms=width, **fields)  # type: ignore[arg-type]  # names of fields


def bars_of(histograms: Sequence[Mapping[str, Any]], width: int, values: Sequence[str]) -> list[Bar]:
    """The parts' histograms, of one width, as one: without holes between its ends."""
    bars: dict[int, tuple[int, dict[str, int]]] = {}
    for histogram in histograms:
        for bucket in histogram.get("aggregations", {}).get("bars", {}).get("buckets", []):
            count, by = bars.get(int(bucket["key"]), (0, {}))
            for one in bucket.get("by", {}).get("buckets", []):
                by[one["key"]] = by.get(one["key"], 0) + one["doc_count"]
            bars[int(bucket["key"])] = (count + bucket["doc_count"], by)
    if not bars:
        return []
    # Of one part there are no holes; those between parts are filled.
    places = sorted(bars) if len(histograms) == 1 else range(min(bars), max(bars) + 1, width)
    made = []
    for at in places:
        count, by = bars.get(at, (0, {}))
        made.append(Bar(to_rfc3339(at), count, by if values else UNSET))
    return made


def words_of(answer: Mapping[str, Any]) -> list[Word]:
    """The words that stand out."""
    found = answer.get("aggregations", {}).get("standout", {}).get("words", {})
    return [
        Word(
            unicodedata.normalize("NFC", one["key"]),
            one["doc_count"],
            found["doc_count"],
            one["bg_count"],
            found["bg_count"],
        )
        for one in found.get("buckets", [])
    ]


def _whole(word: str) -> str:
    """Korean words lie in the index letter by letter."""
    return unicodedata.normalize("NFC", word)
