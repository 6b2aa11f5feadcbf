"""Streams of alerts hold copies of events: what was retracted since does not live on in them. Pure."""

from collections.abc import Collection, Sequence
from typing import Any, Final

import msgspec

from kernel.access.users import ALERT
from kernel.log.positions import Kind, Stream

#: The type of the events there.
TYPE: Final = "alert"

_decode: Final = msgspec.json.Decoder().decode
_encode: Final = msgspec.json.Encoder().encode


def is_copied(stream: Stream) -> bool:
    """Whether events of this stream are copies of others."""
    return stream.kind is Kind.BROADCAST and stream.channel.startswith(ALERT)


class _Original(msgspec.Struct):
    id: str = ""
    stream: str = ""


class _About(msgspec.Struct):
    event: _Original | None = None


class _Copy(msgspec.Struct):
    type: str = ""
    data: _About | None = None


_copy: Final = msgspec.json.Decoder(_Copy).decode


def original_of(body: bytes) -> str | None:
    """The id of the chat message that an alert's event is a copy of; None where it is of none.

    Only what is said can be taken back.
    """
    try:
        copy = _copy(body)
    except msgspec.DecodeError:
        return None  # whoever may publish there may have posted anything
    event = copy.data.event if copy.type == TYPE and copy.data else None
    return event.id if event is not None and event.id and event.stream.startswith(f"{Kind.CHAT}:") else None


def without(bodies: Sequence[bytes], gone: Collection[str]) -> list[bytes]:
    """The events, those that are copies of these messages without what was said."""
    return [_blanked(body) if original_of(body) in gone else body for body in bodies]


def _blanked(body: bytes) -> bytes:
    event: dict[str, Any] = _decode(body)
    original = event["data"]["event"]
    original["data"] = {}
    original["retracted"] = True
    return _encode(event)
