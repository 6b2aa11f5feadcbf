"""Polls: what may be asked, how its events say it, and how one is shown. Pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from control.crowd.reactions import MAX_OPTIONS
from control.crowd.totals import PollState, Total
from kernel.clock import to_rfc3339
from kernel.errors import TouchlineError
from kernel.log.positions import Kind
from schemas.ingest import make_ingest

#: Types of the events that tell of one.
OPENED: Final = "poll"
CLOSED: Final = "poll_closed"
MAX_QUESTION: Final = 500
MAX_OPTION: Final = 200
MIN_OPTIONS: Final = 2
#: A poll is open for at most so long: then its event is gone from the log.
MAX_OPEN_S: Final = 30 * 24 * 3600
_SPAN: Final = re.compile(r"([0-9]{1,9})(ms|s|m|h|d)").fullmatch
_UNIT_MS: Final = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


class Asked(msgspec.Struct, frozen=True):
    """A poll that somebody makes."""

    question: str
    options: tuple[str, ...]
    closes_in: str | None = None


class _Extra(msgspec.Struct):
    """What of a poll's event the fold goes by."""

    question: str
    options: tuple[str, ...]
    closes_ms: int | None = None


def check_poll(asked: Asked) -> int | None:
    """In how many milliseconds it is to close; None: when somebody closes it. Raises `bad_request`."""
    if not 1 <= len(asked.question) <= MAX_QUESTION:
        raise _bad(f"question has {len(asked.question)} characters: it has 1 to {MAX_QUESTION}.")
    if not MIN_OPTIONS <= len(asked.options) <= MAX_OPTIONS:
        raise _bad(f"options are {len(asked.options)}: a poll has {MIN_OPTIONS} to {MAX_OPTIONS}.")
    for option in asked.options:
        if not 1 <= len(option) <= MAX_OPTION:
            raise _bad(f"An option has {len(option)} characters: it has 1 to {MAX_OPTION}.")
    if len(set(asked.options)) < len(asked.options):
        raise _bad("options has one twice: nobody could tell which of them was meant.")
    return None if asked.closes_in is None else _span_ms(asked.closes_in)


def _span_ms(text: str) -> int:
    found = _SPAN(text)
    span = int(found[1]) * _UNIT_MS[found[2]] if found else 0
    if not 1000 <= span <= MAX_OPEN_S * 1000:
        raise _bad(f"closes_in is {text[:40]!r}: it is a time from 1s to 30d, like 90s, 5m or 2h.")
    return span


def opened_event(kind: Kind, asked: Asked, *, sender: str | None, key: str) -> dict[str, Any]:
    """The event that a poll begins with. Raises `bad_request`, also where its stream can have none."""
    closes_ms = check_poll(asked)
    data = {"question": asked.question, "options": list(asked.options), "closes_ms": closes_ms}
    said = {name: value for name, value in data.items() if value is not None}
    return make_ingest(kind, OPENED, _in(kind, asked.question, said), sender=sender, key=key)


def closed_event(kind: Kind, poll: str, total: Total) -> dict[str, Any]:
    """The event that a poll ends with: the result."""
    question = total.poll.question if total.poll else ""
    said = {
        "poll": poll,
        "question": question,
        "options": list(total.names),
        "counts": list(total.counts),
        "voters": total.voters,
    }
    return make_ingest(kind, CLOSED, _in(kind, question, said), sender="touchline", key=f"{CLOSED}:{poll}")


def _in(kind: Kind, text: str, said: Mapping[str, Any]) -> dict[str, Any]:
    if kind is Kind.LOCATION:
        raise _bad("A stream of positions has no polls.")
    return {"text": text, **said} if kind is Kind.CHAT else dict(said)


def read_extra(kind: Kind, data: Mapping[str, Any]) -> str | None:
    """Of an accepted `poll` event what the fold of reactions has to know, as JSON; None where it is none."""
    text = data["extra"] if kind is Kind.CHAT else data.get("json")
    try:
        return msgspec.json.encode(msgspec.json.decode(text or "{}", type=_Extra)).decode()
    except msgspec.DecodeError:
        return None


def begun(extra: str | None, *, by: str | None, opened_ms: int) -> tuple[tuple[str, ...], PollState]:
    """Options, and what is to be kept of a poll. Raises `bad_request`."""
    try:
        read = msgspec.json.decode(extra or "", type=_Extra)
    except msgspec.DecodeError as error:
        raise _bad(f"This is no poll: {error}.") from None
    check_poll(Asked(read.question, read.options))
    closes = None if read.closes_ms is None else opened_ms + read.closes_ms
    return read.options, PollState(question=read.question, by=by, opened=opened_ms, closes=closes)


def closed(poll: PollState, at_ms: int) -> PollState:
    """The same, closed at this time."""
    return msgspec.structs.replace(poll, closed=at_ms)


def told(poll: PollState) -> PollState:
    """The same, once its end is on the log."""
    return msgspec.structs.replace(poll, told=True)


def is_open(poll: PollState, now_ms: int) -> bool:
    """Whether a vote of this time counts."""
    return poll.closed is None and (poll.closes is None or now_ms < poll.closes)


def shown(total: Total, poll: PollState, now_ms: int) -> dict[str, Any]:
    """A poll as it is answered."""
    return {
        "poll": total.target,
        "stream": total.stream,
        "question": poll.question,
        "options": list(total.names),
        "by": poll.by,
        "opened_at": to_rfc3339(poll.opened),
        "closes_at": None if poll.closes is None else to_rfc3339(poll.closes),
        "closed_at": None if poll.closed is None else to_rfc3339(poll.closed),
        "open": is_open(poll, now_ms),
        "counts": list(total.counts),
        "voters": total.voters,
    }


def counts_of(options: Sequence[str], counts: Sequence[int]) -> list[int]:
    """A count for each option."""
    return [*counts, *([0] * (len(options) - len(counts)))]


def _bad(sentence: str) -> TouchlineError:
    return TouchlineError("bad_request", sentence)
