"""What may be reacted with: one emoji, or a name like `:goal:`, as far as the channel allows it. Pure."""

import re
from collections.abc import Collection
from functools import lru_cache
from typing import Final

from kernel.errors import TouchlineError

MAX_BYTES: Final = 32
#: In a channel's setting `reactions`: nothing may be reacted with.
NONE: Final = "none"

# As Unicode's TR 51 puts them together. Blocks of pictures rather than a list of them: newer ones are there.
_PICTURE: Final = (
    "[\u00a9\u00ae\u203c\u2049\u2122\u2139\u2190-\u21ff\u2300-\u23ff\u2460-\u24ff\u25a0-\u27bf\u2900-\u297f"
    "\u2b00-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001f1e5\U0001f200-\U0001f3fa\U0001f400-\U0001faff]"
)
_TAGS: Final = "[\U000e0020-\U000e007e]+\U000e007f"
_ONE: Final = f"{_PICTURE}(?:\ufe0f|[\U0001f3fb-\U0001f3ff])?(?:{_TAGS})?"
_FLAG: Final = "[\U0001f1e6-\U0001f1ff]{2}"
_KEYCAP: Final = "[0-9#*]\ufe0f?\u20e3"
_emoji: Final = re.compile(f"(?:{_FLAG}|{_KEYCAP}|{_ONE}(?:\u200d{_ONE})*)").fullmatch
_name: Final = re.compile(r":[a-z0-9_+-]{1,30}:").fullmatch


@lru_cache(maxsize=4096)
def is_reaction(text: str) -> bool:
    """Whether it is one emoji, or a name between colons."""
    if _name(text):
        return True
    return len(text) <= MAX_BYTES and _emoji(text) is not None and len(text.encode()) <= MAX_BYTES


def check_reaction(text: str, allowed: Collection[str] = ()) -> None:
    """Raise `bad_request` for what nobody may react with, `moderated` for what the channel does not allow."""
    if not is_reaction(text):
        raise TouchlineError(
            "bad_request",
            f"with is {text[:40]!r}: it is one emoji of at most {MAX_BYTES} bytes, or a name like :goal:",
        )
    if allowed and text not in allowed:
        raise TouchlineError("moderated", f"{text} is none of what this channel allows to react with.")
