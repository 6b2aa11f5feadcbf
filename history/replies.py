"""Replies: which event another one answers, and how many answers each has."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

import msgspec

from control.rooms.membership import ALL, Spans
from history.retractions import head_of
from kernel.errors import TouchlineError
from kernel.log.positions import Kind, Stream, split_lane

#: Where a chat event says what it answers, in its data.
FIELD: Final = "reply_to"
_FIELD: Final = b'"reply_to"'


class _Reply(msgspec.Struct):
    data: Any = None


_reply: Final = msgspec.json.Decoder(_Reply).decode


class _Parent(msgspec.Struct):
    seq: int = 0


_found: Final = msgspec.json.Decoder(_Parent).decode


class Finder(Protocol):
    """Finds events by their id."""

    async def find(self, stream: Stream, event_id: str, lanes: int = 0) -> bytes | None: ...


def reply_of(body: bytes) -> str | None:
    """The id of the event that this one answers."""
    if _FIELD not in body:
        return None
    try:
        data = _reply(body).data
    except msgspec.DecodeError:
        return None
    said = data.get(FIELD) if isinstance(data, dict) else None
    return said if isinstance(said, str) else None


def is_id(text: Any) -> bool:
    """Whether it may be an event's id."""
    return isinstance(text, str) and text.isascii() and text.isdigit() and len(text) <= 40


async def check_reply(
    finder: Finder, stream: Stream, reply_to: Any, *, lanes: int = 0, readable: Spans = ALL
) -> None:
    """Raise `bad_request` where this is no event of the stream that may be read there; or `unavailable`."""
    body = await finder.find(stream, reply_to, lanes) if is_id(reply_to) else None
    if body is None or _found(body).seq not in readable:
        raise TouchlineError("bad_request", f"data.reply_to is {str(reply_to)[:60]!r}: no event of {stream}.")


def with_counts(events: Sequence[bytes], counts: Mapping[str, int]) -> list[bytes]:
    """The events, each with the number of its replies, where it has some."""
    if not counts:
        return list(events)
    return [_with_count(body, counts) for body in events]


def _with_count(body: bytes, counts: Mapping[str, int]) -> bytes:
    head = head_of(body)
    number = 0 if head is None else counts.get(head.id, 0)
    return b'%b,"replies":%d}' % (body[:-1], number) if number else body


class Asked(NamedTuple):
    """Events of a stream's channel whose replies are to be counted, of those that somebody may see."""

    stream: Stream
    ids: Sequence[str]
    spans: Spans = ALL


def counting(asked: Sequence[Asked]) -> dict[str, Any]:
    """What the index is asked for the numbers of replies to events: one question for all their channels."""
    ids = [id_ for one in asked for id_ in one.ids]
    ways = [_replies_to(one) for one in asked]
    filters: list[dict[str, Any]] = [{"term": {"kind": Kind.CHAT.value}}]
    filters += ways if len(ways) == 1 else [{"bool": {"should": ways, "minimum_should_match": 1}}]
    return {
        "query": {"bool": {"filter": filters, "must_not": [{"term": {"hidden": True}}]}},
        "size": 0,
        "track_total_hits": False,
        "aggregations": {FIELD: {"terms": {"field": FIELD, "size": len(ids)}}},
    }


def _replies_to(asked: Asked) -> dict[str, Any]:
    """Of the events' own channel, whatever others say that they answer."""
    stream, ids, spans = asked
    base = split_lane(stream.channel)[0]
    lanes = [{"term": {"channel": base}}, {"term": {"base": base}}]
    filters: list[dict[str, Any]] = [
        {"bool": {"should": lanes, "minimum_should_match": 1}},
        {"terms": {FIELD: list(ids)}},
    ]
    if spans != ALL:  # who was out for a time is not told how much was said then
        ranges = [{"range": {"seq": {"gte": low, "lte": high}}} for low, high in spans.ranges]
        filters.append({"bool": {"should": ranges, "minimum_should_match": 1}})
    return {"bool": {"filter": filters}}
