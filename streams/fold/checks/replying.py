"""Replies in the fold: what an event answers is an earlier chat event. Pure.

Whether it is one of the same stream the doors have seen, who know the past.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from kernel.errors import TouchlineError
from kernel.log.positions import Kind, kind_of_id, time_of_id

_DIGITS: Final = 40


class _Extra(msgspec.Struct):
    reply_to: Any = None


_extra: Final = msgspec.json.Decoder(_Extra).decode


def check_reply(event: Mapping[str, Any], append_ms: int) -> None:
    """Raise `bad_request` where a chat event answers what cannot be one before it."""
    extra = event["data"]["extra"]
    if extra is None or ("reply_to" not in extra and "\\u" not in extra):
        return  # asked for each event, so this is cheap
    said = _extra(extra).reply_to
    if said is None:
        return
    digits = isinstance(said, str) and said.isascii() and said.isdigit() and len(said) <= _DIGITS
    if not digits or kind_of_id(said) is not Kind.CHAT or time_of_id(said) > append_ms:
        raise TouchlineError("bad_request", f"data.reply_to is {str(said)[:60]!r}: no event of this stream.")
