"""Refusals in the words of the viewer protocol."""

from typing import Final

from consumers.protocol import messages as m
from kernel.codes import RETRY
from kernel.errors import TouchlineError

#: Codes of other parts, and the nearest that viewers know.
_NEAREST: Final = {
    "not_delivered": "unavailable",
    "queue_full": "unavailable",
}


def not_a_reader(request_id: int | None, stream: str) -> m.Error:
    """The channel's settings name who may read it, and not this user."""
    sentence = f"The channel's settings do not let you read {stream}."
    return m.error("forbidden", sentence, request_id=request_id, stream=None if request_id else stream)


def refusal(error: TouchlineError, request_id: int | None) -> m.Error:
    """An error as viewers are told it."""
    code = _NEAREST.get(error.code, error.code)
    sentence = str(error) if error.code == "rate_limited" else error.message  # its hint says when
    return m.error(code if code in RETRY else "unavailable", sentence, request_id=request_id)
