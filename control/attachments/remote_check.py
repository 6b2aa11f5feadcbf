"""How an edge asks a gateway whether a message may have its attachments: the bytes are where gateways are.
Pure.

The question is signed by the keys of `[attachments]`, and good for a minute.
"""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from kernel.attachment_ids import MOST

ASK_PATH: Final = "/internal/attachments"
SIGNATURE: Final = "Touchline-Signature"
_FRESH_MS: Final = 60_000


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """May this user put these on a message of this stream? `anybodys`: they speak for others there."""

    attachments: Annotated[list[str], Meta(max_length=MOST)]
    stream: str
    user: str
    anybodys: bool
    at: int


def question_parts(body: bytes) -> tuple[str, ...]:
    """What is signed of a question."""
    return ("ASK", body.decode("utf-8", "replace"))


def fresh(question: Question, now_ms: int) -> bool:
    """Whether it was asked just now, by clocks that are about right."""
    return abs(now_ms - question.at) <= _FRESH_MS
