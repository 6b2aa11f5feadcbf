"""Who may find what: stream patterns of a token's grants as a filter that every search carries."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from control.channels.acl import CLOSED
from search_indexer.indexing.mappings import BASE

#: Stream patterns: `*` stands for anything.
EVERYTHING: Final = ("*",)
_SPECIAL: Final = frozenset('.?+*|{}[]()"\\#@&<>~')
#: A grant on a channel holds for its lanes.
_LANES: Final = r"(\~[0-9]+)?"
#: Elasticsearch takes 65,536 terms in one clause.
_MOST_TERMS: Final = 50_000
#: Documents of lanes from before there was the field `base` are of nobody knows which channel: who may not
#: read every channel does not find them, until the index is built anew or they are past their retention.
_UNKNOWN_LANES: Final[dict[str, Any]] = {
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


class Seen(NamedTuple):
    """What a caller may see of channels that are not for everybody, whatever the patterns cover."""

    #: Channels whose settings keep the caller out.
    hidden: Sequence[str] = ()
    #: Of the channels whose names close them (`user-…`, `alert-…`), those that are open to the caller all the
    #: same, and the patterns that the caller administers; None: all are open.
    own: Sequence[str] | None = None
    admin: Sequence[str] = ()
    #: Channels of rooms of which the caller may see all, and ranges of `seq` of those of which they may see a
    #: part; looked at where `own` is.
    rooms: Sequence[str] = ()
    ranges: Sequence[tuple[str, int, int]] = ()
    #: Channels of rooms that are no more: of these nobody sees anything.
    deleted: Sequence[str] = ()


ALL: Final = Seen()


def beyond(seen: Seen) -> list[dict[str, Any]]:
    """What no hit may be: of these channels, or of lanes of theirs."""
    found: list[dict[str, Any]] = [_UNKNOWN_LANES] if seen.hidden else []
    for first in range(0, len(seen.hidden), _MOST_TERMS):
        some = seen.hidden[first : first + _MOST_TERMS]
        found += [{"terms": {"channel": some}}, {"terms": {BASE: some}}]
    if seen.deleted:
        found.append({"terms": {"channel": list(seen.deleted)}})
    if seen.own is not None:
        ways = [{"prefix": {"channel": {"value": prefix}}} for prefix in CLOSED]
        open_: list[dict[str, Any]] = [{"terms": {"channel": list(seen.own)}}]
        open_ += [
            {"terms": {"channel": list(seen.rooms[first : first + _MOST_TERMS])}}
            for first in range(0, len(seen.rooms), _MOST_TERMS)
        ]
        open_ += [
            {"bool": {"filter": [{"term": {"channel": name}}, {"range": {"seq": {"gte": low, "lte": high}}}]}}
            for name, low, high in seen.ranges
        ]
        if (administered := visible(seen.admin)) is not None:
            open_.append(administered)
        found.append({"bool": {"should": ways, "minimum_should_match": 1, "must_not": open_}})
    return found


def _regexp(pattern: str) -> str:
    parts = ["".join(f"\\{c}" if c in _SPECIAL else c for c in part) for part in pattern.split("*")]
    return ".*".join(parts) + _LANES
