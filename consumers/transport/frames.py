"""WebSocket frames as an edge sends them: unmasked, unfragmented, made once and written to many."""

from struct import Struct
from typing import Final

_MEDIUM: Final = Struct("!BBH").pack
_LARGE: Final = Struct("!BBQ").pack
_TEXT: Final = 0x81  # final, text
_CLOSE: Final = 0x88
_PING: Final = 0x89
PING: Final = bytes((_PING, 0))


def text_head(length: int) -> bytes:
    """The header of a text frame of so many bytes."""
    if length < 126:
        return bytes((_TEXT, length))
    if length < 65_536:
        return _MEDIUM(_TEXT, 126, length)
    return _LARGE(_TEXT, 127, length)


def text_frame(payload: bytes) -> bytes:
    """A text frame."""
    return text_head(len(payload)) + payload


def close_frame(code: int, reason: str) -> bytes:
    """A close frame; the reason is cut to what a control frame holds."""
    payload = code.to_bytes(2) + reason.encode()[:123]
    return bytes((_CLOSE, len(payload))) + payload


def event_frame(prev: int, body: bytes) -> bytes:
    """The frame of an event from its body, which is its JSON object without op and prev; prev 0: not known.

    This is the one place where an event is encoded for its viewers, once for all of them.
    """
    head = b'{"op":"event","prev":%d,' % prev if prev else b'{"op":"event",'
    return b"".join((text_head(len(head) + len(body) - 1), head, body[1:]))


_EVENT: Final = b'{"op":"event",'
_PREV: Final = b'"prev":'


def parts_of(frame: bytes) -> tuple[int, bytes]:
    """An event's `prev` and body, of its frame."""
    rest, prev = payload_of(frame)[len(_EVENT) :], 0
    if rest.startswith(_PREV):
        end = rest.index(b",")
        prev, rest = int(rest[len(_PREV) : end]), rest[end + 1 :]
    return prev, b"{" + rest


def payload_of(frame: bytes) -> bytes:
    """The payload of a frame that this module made."""
    length = frame[1]
    return frame[2 if length < 126 else 4 if length == 126 else 10 :]
