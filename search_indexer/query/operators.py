"""Operators of a query: `from:ana`, `after:10m`, `has:link`. Each reads its value, or raises a sentence."""

from collections.abc import Callable, Mapping
from datetime import UTC, tzinfo
from types import MappingProxyType
from typing import Final, NamedTuple

from kernel.access.users import MAX_USER
from kernel.distances import metres_of
from kernel.log.positions import Kind, is_channel
from kernel.times import moment_of
from search_indexer.query.syntax import (
    ATTACHMENT,
    EDITED,
    EMOJI,
    LINK,
    MENTION,
    REPLY,
    During,
    Field,
    Near,
    Term,
)

_MAX_VALUE: Final = 256
_EARTH_M: Final = 20_037_509.0
_WITHIN: Final = "5km"


class Reading(NamedTuple):
    """What times in a query mean: when it is asked, and in which time zone."""

    now_ms: int = 0
    zone: tzinfo = UTC


class Operator(NamedTuple):
    """One of them, as people are told of it."""

    name: str
    says: str
    example: str
    read: Callable[[str, Reading], Term]
    #: What may stand behind it, where that is a few words.
    values: tuple[str, ...] = ()


def _one_of(name: str, says: str, field: str, values: tuple[str, ...]) -> Operator:
    def read(value: str, _: Reading) -> Term:
        if value.lower() not in values:
            raise ValueError(f"{name}: is followed by {_either(values)}, not by {value[:40]!r}.")
        return Field(field, value.lower())  # type: ignore[arg-type]  # one of its names

    return Operator(name, says, values[0], read, values)


def _either(values: tuple[str, ...]) -> str:
    return f"{', '.join(values[:-1])} or {values[-1]}" if len(values) > 1 else values[0]


def _sender(value: str, _: Reading) -> Term:
    return _named("sender", value.removeprefix("@") or value, MAX_USER)


def _type(value: str, _: Reading) -> Term:
    return _named("type", value, _MAX_VALUE)


def _mentions(value: str, _: Reading) -> Term:
    return _named("marks", f"@{value.removeprefix('@')}", MAX_USER + 1)


def _named(field: str, value: str, longest: int) -> Field:
    begins, name = value.endswith("*"), value.removesuffix("*")
    if not 0 < len(name) <= longest or "*" in name:
        raise ValueError(f"a name of 1 to {longest} characters is expected; one * may end it.")
    return Field(field, name, begins)  # type: ignore[arg-type]  # one of its names


def _channel(value: str, _: Reading) -> Term:
    kind, colon, channel = value.removeprefix("#").rpartition(":")
    begins, channel = channel.endswith("*"), channel.removesuffix("*")
    if not is_channel(channel) or (colon and kind not in list(Kind)):
        raise ValueError(
            f"in: is followed by a channel, as in in:final or in:wc26-*, not by {value[:150]!r}."
        )
    return Field("stream", f"{kind}:{channel}", begins) if colon else Field("channel", channel, begins)


def _before(value: str, reading: Reading) -> Term:
    return During(end=moment_of(value, *reading).start)


def _after(value: str, reading: Reading) -> Term:
    return During(since=_behind(value, reading))


def _on(value: str, reading: Reading) -> Term:
    return During(moment_of(value, *reading).start, _behind(value, reading))


def _since(value: str, reading: Reading) -> Term:
    return During(since=moment_of(value, *reading).start)


def _until(value: str, reading: Reading) -> Term:
    return During(end=_behind(value, reading))


def _behind(value: str, reading: Reading) -> int:
    """The first moment that is later than what was written."""
    start, end, _ = moment_of(value, *reading)
    return end if end > start else end + 1


def _near(value: str, _: Reading) -> Term:
    place, tilde, within = value.partition("~")
    return near_of(place, within if tilde else "", what="near:")


def near_of(place: str, within: str, *, what: str = "near") -> Near:
    """`40.81,-74.07` and `5mi`. Raises ValueError."""
    parts = place.split(",")
    try:
        lat, lon = (_degrees(part) for part in parts)
    except ValueError:
        raise ValueError(
            f"{what} is {place[:60]!r}: write latitude and longitude in degrees, like 40.81,-74.07."
        ) from None
    if abs(lat) > 90 or abs(lon) > 180:
        raise ValueError(
            f"{what} is not on the earth: latitude goes from -90 to 90, longitude from -180 to 180."
        )
    metres = metres_of(within or _WITHIN)
    if not metres:
        raise ValueError(f"within is {within[:40]!r}: write a distance with its unit, like 5mi or 800m.")
    return Near(lat, lon, min(metres, _EARTH_M))


def _degrees(text: str) -> float:
    text = text.strip()
    sign, digits = (-1.0, text[1:]) if text[:1] == "-" else (1.0, text.removeprefix("+"))
    whole, _, part = digits.partition(".")
    if not (digits.isascii() and whole.isdigit() and len(whole) <= 3 and len(part) <= 15):
        raise ValueError(text)
    if part and not part.isdigit():
        raise ValueError(text)
    return sign * float(digits)


OPERATORS: Final[Mapping[str, Operator]] = MappingProxyType(
    {
        one.name: one
        for one in (
            Operator("from", "who said it", "ana", _sender),
            Operator("in", "the channel, its lanes too; wc26-* is each that begins so", "final", _channel),
            _one_of("kind", "broadcast, chat or location", "kind", tuple(kind.value for kind in Kind)),
            Operator("type", "the event's type", "goal", _type),
            Operator("before", "earlier than this", "2026-06-11", _before),
            Operator("after", "later than this; 10m is ten minutes ago", "10m", _after),
            Operator("on", "in this day, month or minute", "yesterday", _on),
            Operator("since", "not earlier than this", "19:30", _since),
            Operator("until", "not later than this", "19:30", _until),
            _one_of("has", "what its text has", "marks", (LINK, ATTACHMENT, MENTION, EMOJI)),
            _one_of("is", "what became of it", "marks", (EDITED, REPLY)),
            Operator("mentions", "whom its text names, as @ana", "ana", _mentions),
            Operator("near", "around a place, and how far", "40.8,-74.0~5mi", _near),
        )
    }
)
#: What others call them.
ALIASES: Final[Mapping[str, str]] = MappingProxyType(
    {
        **dict.fromkeys(("sender", "user", "author"), "from"),
        **dict.fromkeys(("channel", "room"), "in"),
        "during": "on",
    }
)
#: Operators of others that there are none of here, and what to write instead.
ELSEWHERE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "to": "mentions:ana finds whom a text names.",
        "_exists_": "has:link and is:edited ask what an event has.",
        **dict.fromkeys(("@timestamp", "timestamp", "date"), "before:, after: and on: ask for times."),
        **dict.fromkeys(("sort", "order"), "the order is chosen beside the query (sort, --sort)."),
        **dict.fromkeys(("text", "message", "content"), "words are looked for in texts as they stand."),
    }
)
