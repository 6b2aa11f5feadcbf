"""Attachments' ids: what they look like, and the time that is in them. Pure.

An id is 32 signs: the time when it was made, to the millisecond, and 112 bits that nobody guesses. In the
order of their signs ids are in the order of their times, so stores list them by age.
"""

import base64
import re
from typing import Final

#: Of one message.
MOST: Final = 32
_ID: Final = re.compile(r"[0-9a-v]{32}").fullmatch
_TIME_BYTES: Final = 6
_RANDOM_BYTES: Final = 14


def new_attachment(now_ms: int, random: bytes) -> str:
    """An id of this time, with 14 random bytes."""
    raw = now_ms.to_bytes(_TIME_BYTES, "big") + random[:_RANDOM_BYTES].rjust(_RANDOM_BYTES, b"\0")
    return base64.b32hexencode(raw).decode().lower()


def first_of(at_ms: int) -> str:
    """What no id of this time or later lies before, in the order of signs."""
    return new_attachment(max(0, at_ms), b"")


def is_attachment(text: object) -> bool:
    """Whether this is the id of an attachment, of one that is there or not."""
    return isinstance(text, str) and _ID(text) is not None


def made_at(attachment: str) -> int:
    """When the id was made, in milliseconds since 1970."""
    return int.from_bytes(base64.b32hexdecode(attachment.upper())[:_TIME_BYTES], "big")
