"""Who may find what: stream patterns of a token's grants as a filter that every search carries."""

from collections.abc import Iterable
from typing import Any, Final

from search_indexer.indexing.mappings import BASE

#: Stream patterns: `*` stands for anything.
EVERYTHING: Final = ("*",)
_SPECIAL: Final = frozenset('.?+*|{}[]()"\\#@&<>~')
#: A grant on a channel holds for its lanes.
_LANES: Final = r"(\~[0-9]+)?"
#: Elasticsearch takes 65,536 terms in one clause.
_MOST_TERMS: Final = 50_000
_UNKNOWN_LANES: Final = {
    "bool": {
        "filter": [{"regexp": {"channel": {"value": r".+\~[0-9]+"}}}],
        "must_not": [{"exists": {"field": BASE}}],
    }
}


def visible(patterns: Iterable[str]) -> dict[str, Any] | None:
    """The filter for what these patterns cover; None where that is everything."""
    patterns = list(patterns)
    if "*" in patterns:
        return None
    if not patterns:
        return {"match_none": {}}
    ways = [{"regexp": {"stream": {"value": _regexp(pattern)}}} for pattern in patterns]
    return {"bool": {"should": ways, "minimum_should_match": 1}}


def unseen(channels: Iterable[str]) -> list[dict[str, Any]]:
    """What no hit may be: of these channels, or of lanes of theirs. However many they are.

    Documents of lanes from before there was the field `base` are of nobody knows which channel: who may not
    read every channel does not find them, until the index is built anew or they are past their retention.
    """
    names, found = list(channels), list[dict[str, Any]]()
    for first in range(0, len(names), _MOST_TERMS):
        some = names[first : first + _MOST_TERMS]
        found += [{"terms": {"channel": some}}, {"terms": {BASE: some}}]
    return [*found, _UNKNOWN_LANES] if found else []


def _regexp(pattern: str) -> str:
    parts = ["".join(f"\\{c}" if c in _SPECIAL else c for c in part) for part in pattern.split("*")]
    return ".*".join(parts) + _LANES
