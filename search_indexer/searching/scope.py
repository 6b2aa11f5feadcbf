"""Who may find what: stream patterns of a token's grants as a filter that every search carries."""

from collections.abc import Iterable
from typing import Any, Final

from control.retention import with_lanes

#: Stream patterns: `*` stands for anything.
EVERYTHING: Final = ("*",)
_SPECIAL: Final = frozenset('.?+*|{}[]()"\\#@&<>~')
#: A grant on a channel holds for its lanes.
_LANES: Final = r"(\~[0-9]+)?"


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
    """What no hit may be: of these channels, or of lanes of theirs."""
    names = with_lanes(channels)
    return [{"terms": {"channel": names}}] if names else []


def _regexp(pattern: str) -> str:
    parts = ["".join(f"\\{c}" if c in _SPECIAL else c for c in part) for part in pattern.split("*")]
    return ".*".join(parts) + _LANES
