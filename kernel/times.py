"""Times as people write them: `10m`, `yesterday`, `2026-06-11`, `2026-06-11T19:00[Europe/Paris]`. Pure.

What is written stands for a span: a date for the whole day, `19:00` for the whole minute. So "before the
11th" ends where the day begins, and "until the 11th" where it ends.
"""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

#: What is longer is no time, and no zone.
MAX_TIME: Final = 100
MAX_ZONE: Final = 64
_UNITS: Final = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 7 * 86_400_000}
_SPAN: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)\s?(s|m|h|d|w)")
_ZONED: Final = re.compile(rf"(.+)\[([A-Za-z0-9._+/:-]{{1,{MAX_ZONE}}})\]")
_OFFSET: Final = re.compile(r"([+-])(\d{2}):?(\d{2})")
_DATE: Final = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?")
_MOMENT: Final = re.compile(r"(\d{4}-\d{2}-\d{2})[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?")
_CLOCK: Final = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")
_DAYS: Final = {"today": 0, "yesterday": -1, "tomorrow": 1}
#: For whoever is told that something is no time.
EXAMPLES: Final = (
    "write 10m, 2h or 7d (so long ago), now, today, yesterday, 19:30, a date like 2026-06-11,"
    " or RFC 3339 like 2026-06-11T19:00:00Z"
)


class Moment(NamedTuple):
    """What was written, in milliseconds since 1970: from `start` on, `end` is behind it."""

    start: int
    end: int
    #: Whether it depends on when it is read.
    relative: bool = False


def span_ms(text: str) -> int | None:
    """`10m` in milliseconds; None: it is no length of time."""
    found = _SPAN.fullmatch(text.strip())
    return None if found is None else round(float(found[1]) * _UNITS[found[2]])


def zone_of(name: str) -> tzinfo:
    """A time zone by its name (`Europe/Paris`, `UTC`) or its offset (`+02:00`). Raises ValueError."""
    found = _zone(name) if len(name) <= MAX_ZONE else None
    if found is None:
        raise ValueError(f"{name[:40]!r} is no time zone: write one like Europe/Paris, UTC or +02:00.")
    return found


def moment_of(text: str, now_ms: int, zone: tzinfo = UTC) -> Moment:
    """What is meant by a time that somebody wrote; where it names no zone it is one of `zone`.

    Raises ValueError with a sentence.
    """
    said = text.strip()
    try:
        if len(said) <= MAX_TIME and (found := _read(said, now_ms, zone)) is not None:
            return found
    except (OverflowError, OSError):
        pass
    except ValueError as error:
        if "time zone" in str(error):
            raise
    raise ValueError(f"{said[:60]!r} is no time: {EXAMPLES}.")


def _read(said: str, now_ms: int, zone: tzinfo) -> Moment | None:
    if (zoned := _ZONED.fullmatch(said)) is not None:
        said, zone = zoned[1], zone_of(zoned[2])
    word = said.lower()
    if word == "now":
        return Moment(now_ms, now_ms, relative=True)
    if (ago := span_ms(word)) is not None:
        return Moment(now_ms - ago, now_ms - ago, relative=True) if ago <= now_ms else None
    today = datetime.fromtimestamp(now_ms / 1000, zone)
    if word in _DAYS:
        day = today + timedelta(days=_DAYS[word])
        return _span(_at(day.year, day.month, day.day, zone=zone), timedelta(days=1), relative=True)
    if (clock := _CLOCK.fullmatch(said)) is not None:
        hour, minute, second = int(clock[1]), int(clock[2]), clock[3]
        start = _at(today.year, today.month, today.day, hour, minute, int(second or 0), zone=zone)
        return _span(start, timedelta(seconds=1) if second else timedelta(minutes=1), relative=True)
    if (date := _DATE.fullmatch(said)) is not None:
        return _date(date, zone)
    if (local := _MOMENT.fullmatch(said)) is not None:
        numbers = (*map(int, local[1].split("-")), int(local[2]), int(local[3]), int(local[4] or 0))
        start = _at(*numbers, zone=zone)
        if local[5]:
            at = _ms(start) + int(local[5][:3].ljust(3, "0"))
            return Moment(at, at)
        return _span(start, timedelta(seconds=1) if local[4] else timedelta(minutes=1))
    exact = datetime.fromisoformat(said)
    return None if exact.tzinfo is None else Moment(_ms(exact), _ms(exact))


def _date(date: re.Match[str], zone: tzinfo) -> Moment:
    """A day, a month or a year."""
    year, month, day = int(date[1]), int(date[2] or 1), int(date[3] or 1)
    start = _at(year, month, day, zone=zone)
    if date[3]:
        return _span(start, timedelta(days=1))
    following = (year + month // 12, month % 12 + 1) if date[2] else (year + 1, 1)
    return Moment(_ms(start), _ms(_at(*following, 1, zone=zone)))


def _at(*parts: int, zone: tzinfo) -> datetime:
    """Year, month, day, and the time of day where it is more than the day's beginning."""
    year, month, day, *clock = parts
    hour, minute, second = (*clock, 0, 0, 0)[:3]
    return datetime(year, month, day, hour, minute, second, tzinfo=zone)


def _span(start: datetime, length: timedelta, *, relative: bool = False) -> Moment:
    # By the wall clock: a day on which clocks are set back has 25 hours.
    return Moment(_ms(start), _ms(start + length), relative=relative)


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


@lru_cache(maxsize=1000)
def _zone(name: str) -> tzinfo | None:
    if name in {"Z", "UTC"}:
        return UTC
    if (offset := _OFFSET.fullmatch(name)) is not None:
        hours, minutes = int(offset[2]), int(offset[3])
        length = timedelta(hours=hours, minutes=minutes)
        return timezone(-length if offset[1] == "-" else length) if hours < 24 and minutes < 60 else None
    if not name[:1].isupper() or name == "Factory":  # copies and tables that lie beside the zones
        return None
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # not there, or no name of one
        return None
