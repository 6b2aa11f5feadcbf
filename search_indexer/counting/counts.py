"""What is to be counted of a search's hits: by fields, by time, by both; what stands out; the time before."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from kernel.errors import TouchlineError
from kernel.times import span_ms

#: What hits may be counted by -> the field.
FIELDS: Final[Mapping[str, str]] = {
    "kind": "kind",
    "channel": "channel",
    "sender": "sender",
    "type": "type",
    "mark": "marks",
}
MAX_SIZE: Final = 1000
#: Values that bars are divided by.
MAX_BY: Final = 20
MAX_BARS: Final = 2000
_SIZE: Final = 10
#: How wide a bar is at least.
LEAST_WIDTH: Final = 1000
#: What stands out is looked for in so many of the hits of a shard.
_SAMPLE: Final = 2000
_STANDS_OUT: Final = 20
_MINUTE_MS: Final = 60_000
_BUCKETS: Final = 120
_WIDTHS: Final = (1000, 5000, 15_000, *(_MINUTE_MS * n for n in (1, 5, 15, 60, 360, 1440)))
#: Parameters of a search that are about counting.
NAMES: Final = ("facets", "facet", "size", "interval", "by", "standout", "compare")


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """What is counted, where anything is."""

    fields: tuple[str, ...] = ("kind", "channel", "sender")
    #: Values of each field.
    size: int = _SIZE
    #: How wide a bar is; None: as it fits.
    interval_ms: int | None = None
    #: The field that bars are divided by.
    by: str = ""
    standout: bool = False
    #: Whether the time before, as long as the one that is looked at, is counted too.
    compare: bool = False

    @property
    def cost(self) -> float:
        """In searches."""
        one = 1.0 + len(self.fields) / 10 + bool(self.by) + 2 * self.standout
        return one * (1 + self.compare)


def read_counts(fields: Sequence[str], once: Mapping[str, str | None]) -> Counts | None:
    """What parameters ask for; None: nothing is counted. Raises `bad_request`."""
    flags = {name: _flag(name, once[name]) for name in ("facets", "standout", "compare")}
    if not fields and not any(flags.values()) and not any(once[name] for name in ("interval", "by", "size")):
        return None
    for name in (*fields, *([once["by"]] if once["by"] else [])):
        if name not in FIELDS:
            raise _wrong(f"hits are counted by {', '.join(FIELDS)}, not by {name[:40]!r}.")
    return Counts(
        fields=tuple(dict.fromkeys(fields)) or Counts().fields,
        size=_number("size", once["size"]),
        interval_ms=_interval(once["interval"]),
        by=once["by"] or "",
        standout=flags["standout"],
        compare=flags["compare"],
    )


def aggregations(counts: Counts) -> dict[str, Any]:
    """What is asked for with a page: what hits are counted by, and when the first and last of them were."""
    sizes = dict.fromkeys(counts.fields, counts.size)
    if counts.by:
        sizes[counts.by] = max(sizes.get(counts.by, 0), min(counts.size, MAX_BY))
    asked: dict[str, Any] = {
        name: {"terms": {"field": FIELDS[name], "size": size}} for name, size in sizes.items()
    }
    return asked | {"first": {"min": {"field": "at"}}, "last": {"max": {"field": "at"}}}


def width_of(counts: Counts, first: float, last: float) -> int:
    """How wide bars between these moments are. Raises `bad_request` where they would be too many."""
    if counts.interval_ms is None:
        return next((w for w in _WIDTHS if (last - first) / w < _BUCKETS), _WIDTHS[-1])
    bars = int((last - first) / counts.interval_ms) + 1
    if bars > MAX_BARS:
        raise _wrong(
            f"the hits lie over {bars:,} intervals, and {MAX_BARS:,} bars are the most: choose a longer"
            " interval, or less time with since and until."
        )
    return counts.interval_ms


def bars_wanted(width: int, counts: Counts, values: Sequence[str], zone: str) -> dict[str, Any]:
    """What is asked for in the second place: the bars, and each divided by these values."""
    histogram: dict[str, Any] = {"field": "at", "fixed_interval": f"{width}ms", "min_doc_count": 0}
    if zone:
        histogram["time_zone"] = zone
    asked: dict[str, Any] = {"date_histogram": histogram}
    if counts.by and values:
        terms = {"field": FIELDS[counts.by], "include": list(values), "size": len(values)}
        asked["aggregations"] = {"by": {"terms": terms}}
    return {"bars": asked}


def standing_out(background: Mapping[str, Any]) -> dict[str, Any]:
    """The words that these hits have more often than what else the caller may see.

    Without the `background` the numbers would tell of streams that are not theirs."""
    words = {
        "field": "words",
        "size": _STANDS_OUT,
        "filter_duplicate_text": True,
        "source_fields": ["words"],
        "background_filter": background,
    }
    sampled = {"sampler": {"shard_size": _SAMPLE}, "aggregations": {"words": {"significant_text": words}}}
    return {"standout": sampled}


def _wrong(sentence: str) -> TouchlineError:
    return TouchlineError("bad_request", sentence)


def _flag(name: str, value: str | None) -> bool:
    if value not in {None, "", "0", "1", "true", "false"}:
        raise _wrong(f"{name} is 1 or 0.")
    return value in {"1", "true"}


def _number(name: str, value: str | None) -> int:
    if not value:
        return _SIZE
    if not (value.isascii() and value.isdigit() and len(value) <= 9 and 1 <= int(value) <= MAX_SIZE):
        raise _wrong(f"{name} is {value[:40]!r}: it is a number from 1 to {MAX_SIZE}.")
    return int(value)


def _interval(value: str | None) -> int | None:
    if not value:
        return None
    width = span_ms(value)
    if width is None or not LEAST_WIDTH <= width <= 366 * 1440 * _MINUTE_MS or width % LEAST_WIDTH:
        raise _wrong(f"interval is {value[:40]!r}: write how long a bar is, like 10s, 1m, 1h or 1d.")
    return width
