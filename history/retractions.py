"""What was taken back, or is of somebody whose data were erased: shown with its place and nothing it said.

All that shows events asks here: history, rings, search, alerts. What decides is what the workers wrote of
retractions (control/moderation), which every role has beside it, so it does not matter how far the index is.
"""

from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import Any, Final

import msgspec

from control.moderation.moderation import Moderation
from kernel.access.users import ALERT, USER
from kernel.log.positions import Kind, Stream, time_of_id

#: What was posted by people says something; changes of a room are no words of anybody.
_KEPT: Final = frozenset({"retract", "room"})
#: What can be taken back: words, and no places where somebody was.
_WORDS: Final = frozenset({Kind.CHAT, Kind.BROADCAST})
#: Types of events that are about another one, and where they say so: with that one they go.
_ABOUT: Final = MappingProxyType({"edit": "target", "poll_closed": "poll"})
_BROADCAST: Final = f"{Kind.BROADCAST}:"
_SIDES, _MOST_SCORED = 2, 999
#: The type of the events that hold copies of others.
ALERTED: Final = "alert"

_decode: Final = msgspec.json.Decoder().decode
_encode: Final = msgspec.json.Encoder().encode


class _Data(msgspec.Struct):
    target: Any = None


class Head(msgspec.Struct):
    """What of an event decides."""

    id: str = ""
    stream: str = ""
    type: str = ""
    sender: str | None = None
    data: Any = None

    @property
    def target(self) -> str | None:
        """What it is an edit of, or the poll of which it is the end."""
        field = _ABOUT.get(self.type)
        if field is None or not isinstance(self.data, dict):
            return None
        target = self.data.get(field)
        return target if isinstance(target, str) else None


_head: Final = msgspec.json.Decoder(Head).decode


class _Copy(msgspec.Struct):
    event: Head | None = None


class _Alerted(msgspec.Struct):
    type: str = ""
    data: _Copy | None = None


_alerted: Final = msgspec.json.Decoder(_Alerted).decode


def head_of(body: bytes) -> Head | None:
    """Of an event's JSON object; None where it is none of ours."""
    try:
        return _head(body)
    except msgspec.DecodeError:
        return None


def original_of(body: bytes) -> Head | None:
    """The event that an alert's event is a copy of; None where it is of none."""
    try:
        alerted = _alerted(body)
    except msgspec.DecodeError:
        return None  # whoever may publish there may have posted anything
    event = alerted.data.event if alerted.type == ALERTED and alerted.data else None
    return event if event is not None and event.id and event.stream else None


def holds_copies(stream: Stream) -> bool:
    """Whether events of this stream are copies of others."""
    return stream.kind is Kind.BROADCAST and stream.channel.startswith(ALERT)


class TakenBack:
    """Says what of events is not to be shown any more."""

    def __init__(self, moderation: Moderation) -> None:
        self.moderation = moderation

    def shown(self, stream: Stream, events: list[bytes]) -> list[bytes]:
        """Events of a stream as they may be shown now."""
        if not events:
            return events
        if holds_copies(stream):
            return [blanked_copy(body) if self.copies_gone(body) else body for body in events]
        if not self.asks_about(stream):
            return events
        gone = self.gone_of(stream, [head_of(body) for body in events])
        return [blanked(body) if away else body for body, away in zip(events, gone, strict=True)]

    def asks_about(self, stream: Stream) -> bool:
        """Whether anything of a stream may be gone: mostly nothing is, and its events need not be read."""
        return self._retracts(stream) or self.moderation.erases

    def shown_of_many(self, events: Sequence[bytes]) -> list[bytes]:
        """The same of events of many streams."""
        shown, of_streams = list(events), dict[str, list[tuple[int, Head]]]()
        for at, body in enumerate(events):
            if (head := head_of(body)) is not None:
                of_streams.setdefault(head.stream, []).append((at, head))
        for name, theirs in of_streams.items():
            stream = Stream.parse(name)
            if self.asks_about(stream):
                gone = self.gone_of(stream, [head for _, head in theirs])
                for at in (at for (at, _), away in zip(theirs, gone, strict=True) if away):
                    shown[at] = blanked(shown[at])
        return shown

    def _retracts(self, stream: Stream) -> bool:
        return stream.kind in _WORDS and self.moderation.retracts_in(stream.channel)

    def gone_of(self, stream: Stream, heads: Sequence[Head | None]) -> list[bool]:
        """Which of a stream's events are not to be shown any more."""
        ids = {one for head in heads if head is not None for one in (head.id, head.target) if one}
        gone = self.moderation.retracted_of(stream.channel, ids) if self._retracts(stream) else set()
        return [head is not None and self._is_gone(stream, head, gone.__contains__) for head in heads]

    def is_gone(self, stream: Stream, head: Head) -> bool:
        """Whether one event is not to be shown any more."""
        words = stream.kind in _WORDS
        return self._is_gone(
            stream, head, lambda id_: words and self.moderation.retracted(stream.channel, id_)
        )

    def copies_gone(self, body: bytes) -> bool:
        """Whether an alert's event is a copy of what is not to be shown any more."""
        original = original_of(body)
        if original is None:
            return False
        try:
            return self.is_gone(Stream.parse(original.stream), original)
        except ValueError:
            return False

    def _is_gone(self, stream: Stream, head: Head, retracted: Callable[[str], bool]) -> bool:
        if head.type in _KEPT:
            return False
        if (head.id and retracted(head.id)) or (head.target is not None and retracted(head.target)):
            return True
        return self._erased(stream, head)

    def _erased(self, stream: Stream, head: Head) -> bool:
        """Whether it is of somebody whose data were erased since: in their own channel nobody else posts."""
        if stream.channel.startswith(USER):
            until = self.moderation.erased_name_at(stream.channel.removeprefix(USER))
        elif head.sender is not None:
            until = self.moderation.erased_at(head.sender)
        else:
            return False
        try:
            return until > 0 and time_of_id(head.id) <= until
        except ValueError:
            return False


def blanked(body: bytes) -> bytes:
    """An event without what was said; of an edit it is still told what it was of, of a broadcast how it
    stood then: what was told later rests on that."""
    event: dict[str, Any] = _decode(body)
    return _encode(_without(event))


def blanked_copy(body: bytes) -> bytes:
    """An alert's event without what was said in the one that it is a copy of."""
    event: dict[str, Any] = _decode(body)
    _without(event["data"]["event"])
    return _encode(event)


def _without(event: dict[str, Any]) -> dict[str, Any]:
    data = event["data"] if isinstance(event.get("data"), dict) else {}
    kept = {"target": data["target"]} if event.get("type") == "edit" and data.get("target") else {}
    if str(event.get("stream")).startswith(_BROADCAST) and _is_score(data.get("score")):
        kept["score"] = data["score"]
    event["data"] = kept
    event["retracted"] = True
    return event


def _is_score(given: Any) -> bool:
    """Two numbers, and no words."""
    return (
        isinstance(given, list)
        and len(given) == _SIDES
        and all(one is None or (type(one) is int and 0 <= one <= _MOST_SCORED) for one in given)
    )


def shown_by(taken_back: TakenBack | None, stream: Stream, events: Sequence[bytes]) -> list[bytes]:
    """The events as they may be shown; all of them where nobody knows of retractions."""
    return list(events) if taken_back is None else taken_back.shown(stream, list(events))
